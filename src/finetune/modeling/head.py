"""Logits at selected positions only: vocabularies are large, and most logits are not used."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedModel


@contextlib.contextmanager
def head_at(model: PreTrainedModel, positions: torch.Tensor) -> Iterator[None]:
    """In this context the model's logits are (count, vocabulary), those of `positions` only.

    `positions` (2, count) are row and column indices. What a model does to its logits after the
    output layer (scaling, soft-capping) is elementwise and applies as before.
    """

    def select(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return inputs[0][positions[0], positions[1]], *inputs[1:]

    hook = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        yield
    finally:
        hook.remove()
