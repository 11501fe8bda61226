"""8-bit weights (bitsandbytes, one scale an output row) under inputs that keep their precision."""

import functools
from typing import Any

import torch
from bitsandbytes.functional import int8_vectorwise_dequant
from bitsandbytes.nn import Linear8bitLt
from torch import nn


def dequantize_in_forward(model: nn.Module) -> None:
    """Have 8-bit layers dequantize their weights in each pass, and leave their inputs as they are.

    The product of LLM.int8 (Dettmers et al. 2022) rounds inputs to 8 bits as well, but for columns
    that are large in some row of the batch: what a row gives would depend on the other rows, and
    training would compute otherwise than inference, which dequantizes the weights once.
    """
    for module in model.modules():
        if isinstance(module, Linear8bitLt):
            module.init_8bit_state()
            module.forward = functools.partial(_forward, module)


def _forward(layer: Linear8bitLt, inputs: torch.Tensor) -> torch.Tensor:
    device, dtype = inputs.device.type, inputs.dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    out = _Product.apply(inputs.to(dtype), layer)
    return out if layer.bias is None else out + layer.bias.to(dtype)


class _Product(torch.autograd.Function):
    """Inputs times dequantized weights, which are not kept for the backward pass."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, layer: Linear8bitLt) -> torch.Tensor:
        ctx.layer = layer
        return nn.functional.linear(inputs, weights(layer, inputs.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        (grad,) = grads
        return grad @ weights(ctx.layer, grad.dtype), None


def weights(layer: Linear8bitLt, dtype: torch.dtype) -> torch.Tensor:
    """A layer's weights, (outputs, inputs), dequantized."""
    return int8_vectorwise_dequant(layer.weight.data, layer.state.SCB).to(dtype)
