"""Merge LoRA weights into the base's for inference: one matrix product a layer instead of three."""

import contextlib
from collections.abc import Iterator

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel


@contextlib.contextmanager
def merged_adapter(model: PreTrainedModel) -> Iterator[None]:
    """Merge the attached adapter, if there is one; on exit the base's weights are bitwise restored.

    Only where all base weights are float32: 16-bit and 4-bit types would round the merged weights.
    """
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    weights = [layer.get_base_layer().weight for layer in layers]
    if not layers or any(weight.dtype != torch.float32 for weight in weights):
        yield
        return
    originals = [weight.data for weight in weights]
    try:
        for weight in weights:
            weight.data = weight.data.clone()
        model.merge_adapter()
        yield
    finally:
        model.unmerge_adapter()
        for weight, data in zip(weights, originals, strict=True):
            weight.data = data
