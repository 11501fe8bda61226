"""Adapter and base as one set of weights, in memory.

Merged in float32 into a base that is not quantized, then rounded once, to the type that the base
was published in: merging into 4-bit weights would round to 4 bits. Which base is better, the
original or the one that the adapter was trained on, is disputed, so both can be had and are scored.
"""

import torch
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from finetune.core.errors import ModelError, squeezed
from finetune.core.schema import Method, Model
from finetune.exporting.source import Into, Source
from finetune.methods import registry as methods
from finetune.modeling import base as base_model
from finetune.modeling.base import Base

SIXTEEN_BITS = (torch.float16, torch.bfloat16)


def merged(source: Source, into: Into) -> Base:
    """The tuned model without an adapter, in the type that its base was published in.

    Raises:
        ModelError: it cannot be loaded, or merged weights are not finite.
    """
    settings = source.settings
    method = settings.method if into == "dequantized" else source.on_original
    base = methods.load(settings.model, _in_float32(method), source.folder)
    model = base.model
    _check_dequantized(model)
    if hasattr(model, "merge_and_unload"):
        try:
            model = model.merge_and_unload(safe_merge=True)
        except (ValueError, NotImplementedError) as error:
            raise ModelError(f"{source.folder}: cannot be merged: {squeezed(error)}") from error
    return base.with_model(_rounded(model, published_dtype(settings.model)))


def dequantized_base(source: Source) -> Base:
    """The base as the adapter was trained on it, in the type that it was published in.

    Raises:
        ModelError: it cannot be loaded.
    """
    settings = source.settings
    base = base_model.load(settings.model, _in_float32(settings.method), for_inference=True)
    _check_dequantized(base.model)
    return base.with_model(_rounded(base.model, published_dtype(settings.model)))


def _in_float32(method: Method) -> Method:
    return method.model_copy(update={"compute_dtype": "float32"})


def _check_dequantized(model: PreTrainedModel) -> None:
    if any(weight.dtype != torch.float32 for weight in model.parameters()):
        raise ModelError(
            "--into dequantized: the dequantized weights do not fit this GPU's memory; take "
            "--into original, or hide the GPU (CUDA_VISIBLE_DEVICES=)"
        )


def _rounded(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    model = model.to(dtype)
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise ModelError(f"{name}: the merged weights are not finite in {dtype}")
    return model.eval()


def published_dtype(options: Model) -> torch.dtype:
    """The type of a base's weights in its own files; float32 where its config does not say."""
    dtype = published_config(options).dtype
    return dtype if dtype in SIXTEEN_BITS else torch.float32


def published_config(options: Model) -> PreTrainedConfig:
    """A base's own config."""
    pin = {"revision": options.revision} if options.source == "hub" else {}
    return AutoConfig.from_pretrained(options.name, trust_remote_code=False, **pin)
