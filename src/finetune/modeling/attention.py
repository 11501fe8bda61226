"""What a model's attention takes: arguments of its forward pass, and masks that are trees."""

import inspect

import torch
from peft import PeftModel
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer


def unwrapped(model: PreTrainedModel) -> PreTrainedModel:
    """The transformers model, where PEFT has wrapped it to attach an adapter."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def accepts_argument(model: PreTrainedModel, name: str) -> bool:
    """Whether the model's forward pass has an argument of this name."""
    return name in inspect.signature(unwrapped(model).forward).parameters


def takes_tree_masks(model: PreTrainedModel) -> bool:
    """Whether all of the model's layers attend as an attention mask of four dimensions says.

    Not with sliding windows, nor where a model builds its attention itself, by columns or ALiBi.
    """
    inner = unwrapped(model)
    layers = DynamicCache(config=model.config).layers
    return (
        bool(layers)
        and all(type(layer) is DynamicLayer for layer in layers)
        and accepts_argument(model, "position_ids")
        and getattr(inner, "_supports_attention_backend", False)
        and inner.config._attn_implementation in ("sdpa", "eager")
    )


def tree_mask(attends: torch.Tensor, model: PreTrainedModel) -> torch.Tensor:
    """The mask that the model takes, from `attends` (rows, queries, columns) of booleans."""
    if unwrapped(model).config._attn_implementation != "eager":
        return attends[:, None]
    lowest = torch.finfo(model.dtype).min  # eager attention adds the mask
    zeros = torch.zeros(attends.shape, dtype=model.dtype, device=attends.device)
    return zeros.masked_fill(~attends, lowest)[:, None]
