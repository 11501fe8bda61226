"""An adapter added into the base's weights while predictions are made: one product, not three."""

import contextlib
from collections.abc import Iterator

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel


@contextlib.contextmanager
def merged(model: PreTrainedModel) -> Iterator[None]:
    """Merge the model's adapter, if it has one, and take it out again, bit for bit.

    Only where all weights are float32: in 16 bits or in 4 the sum would be rounded to what was not
    trained.
    """
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    weights = [layer.get_base_layer().weight for layer in layers]
    if not layers or any(weight.dtype != torch.float32 for weight in weights):
        yield
        return
    before = [weight.data for weight in weights]
    try:
        for weight in weights:
            weight.data = weight.data.clone()
        model.merge_adapter()
        yield
    finally:
        model.unmerge_adapter()
        for weight, data in zip(weights, before, strict=True):
            weight.data = data
