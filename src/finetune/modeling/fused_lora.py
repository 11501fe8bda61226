"""A LoRA layer as one autograd function: base and adapter write to the same tensors.

PEFT's layer makes three tensors of the output's size and two of the input's gradient's, and keeps
autograd's records of each. Here the adapter's product is added to the base's in place, forward and
backward. What is computed is PEFT's, up to rounding.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from peft.tuners.lora import LoraLayer
from torch import nn

from finetune.core.memory import available_on
from finetune.modeling import int8

# Of the free memory, what weights that are dequantized once may take: the rest is for activations.
DEQUANTIZED_FRACTION = 0.25


def fuse(model: nn.Module, memory_gb: float | None = None, under_autocast: bool = False) -> int:
    """Have a model's LoRA layers compute as one function; returns how many do.

    Layers that it does not fit (DoRA, embeddings, trained biases) stay PEFT's, and all of them
    under autocast, unless `under_autocast` (not run on a GPU). Quantized weights are dequantized
    once where they take a quarter of the free memory (of `memory_gb`) at most, else in each pass.
    To be called when the dropout layers are those that are trained with.
    """
    layers = [module for module in model.modules() if _fits(module)]
    quantized = [layer for layer in layers if _is_quantized(layer.get_base_layer())]
    device = next(model.parameters()).device.type
    dtype = torch.get_autocast_dtype(device) if under_autocast else torch.float32
    needed = sum(dtype.itemsize * _parameters(layer.get_base_layer()) for layer in quantized)
    once = bool(quantized) and needed < DEQUANTIZED_FRACTION * available_on(device, memory_gb)
    for layer in layers:
        weights = _weights(layer.get_base_layer())
        if once and layer in quantized:
            weights = _constant(weights().to(dtype))
        layer.forward = functools.partial(_forward, layer, layer.forward, weights, under_autocast)
    return len(layers)


def _fits(layer: nn.Module) -> bool:
    if not isinstance(layer, LoraLayer) or len(layer.active_adapters) != 1:
        return False
    base, (name,) = layer.get_base_layer(), layer.active_adapters
    if not isinstance(base, nn.Linear) or name not in layer.lora_A or name in layer.lora_variant:
        return False
    trains_bias = base.bias is not None and base.bias.requires_grad
    return layer.lora_B[name].bias is None and not trains_bias and not layer.fan_in_fan_out


def _is_quantized(base: nn.Module) -> bool:
    return isinstance(base, Linear4bit | Linear8bitLt)


def _parameters(base: nn.Linear) -> int:
    return base.in_features * base.out_features


def _weights(base: nn.Linear) -> Callable[[], torch.Tensor]:
    """Gives a layer's weights, (outputs, inputs), dequantized."""
    if isinstance(base, Linear4bit):
        return lambda: dequantize_4bit(base.weight.data, base.weight.quant_state)
    if isinstance(base, Linear8bitLt):
        return lambda: int8.weights(base, torch.float32)
    return lambda: base.weight


def _constant(weights: torch.Tensor) -> Callable[[], torch.Tensor]:
    return lambda: weights


def _forward(
    layer: LoraLayer,
    original: Callable[..., torch.Tensor],
    weights: Callable[[], torch.Tensor],
    under_autocast: bool,
    inputs: torch.Tensor,
    *args: Any,
    **kwargs: Any,
) -> torch.Tensor:
    device, dtype = inputs.device.type, inputs.dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    fits = dtype == torch.float32 or under_autocast
    if args or kwargs or layer.merged or layer.disable_adapters or not fits:
        return original(inputs, *args, **kwargs)
    inputs = inputs.to(dtype)
    (name,) = layer.active_adapters
    dropped = layer.lora_dropout[name](inputs)
    return _LoraLinear.apply(
        inputs,
        None if dropped is inputs else dropped,
        layer.lora_A[name].weight,
        layer.lora_B[name].weight,
        layer.scaling[name],
        weights,
        layer.get_base_layer().bias,
    )


class _LoraLinear(torch.autograd.Function):
    """x Wᵀ + bias + scaling · d Aᵀ Bᵀ, with d = x or x after dropout; W is a constant.

    Of tensors as large as the output or the input it makes one each.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        dropped: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scaling: float,
        weights: Callable[[], torch.Tensor],
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        dtype = inputs.dtype  # of the whole product; the factors are kept in float32
        adapted = (inputs if dropped is None else dropped.to(dtype)).flatten(0, -2)
        hidden = adapted @ a.to(dtype).T
        out = nn.functional.linear(
            inputs, weights().to(dtype), None if bias is None else bias.to(dtype)
        )
        out.view(-1, out.shape[-1]).addmm_(hidden, b.to(dtype).T, alpha=scaling)
        ctx.save_for_backward(adapted, a, b, hidden)
        ctx.scaling, ctx.weights, ctx.drops = scaling, weights, dropped is not None
        ctx.shape = inputs.shape
        return out

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        adapted, a, b, hidden = ctx.saved_tensors
        dtype = adapted.dtype
        grad = grads[0].flatten(0, -2)
        scaled = (grad @ b.to(dtype)).mul_(ctx.scaling)
        grad_a = (scaled.T @ adapted).to(a.dtype)
        grad_b = (grad.T @ hidden).to(b.dtype).mul_(ctx.scaling)
        grad_inputs = grad_dropped = None
        if ctx.needs_input_grad[0]:
            grad_inputs = grad @ ctx.weights().to(dtype)
            if not ctx.drops:
                grad_inputs.addmm_(scaled, a.to(dtype))
            grad_inputs = grad_inputs.view(ctx.shape)
        if ctx.needs_input_grad[1]:
            grad_dropped = (scaled @ a.to(dtype)).view(ctx.shape)
        return grad_inputs, grad_dropped, grad_a, grad_b, None, None, None
