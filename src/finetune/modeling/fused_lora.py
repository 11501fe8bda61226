"""A LoRA layer as one autograd function: base and adapter write to the same tensors.

PEFT's layer makes three tensors of the output's size and two of the input's gradient's, and keeps
autograd's records of each. Here the adapter's product is added to the base's in place, forward and
backward. What is computed is PEFT's, up to rounding.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from peft.tuners.lora import LoraLayer
from torch import nn

from finetune.core.memory import least_available_on
from finetune.modeling import int8

# Of the free memory, what weights that are dequantized once may take: the rest is for activations.
DEQUANTIZED_FRACTION = 0.25


def fuse(
    model: nn.Module, dtype: torch.dtype, memory_gb: float | None = None, in_16_bits: bool = False
) -> int:
    """Have a model's LoRA layers compute as one function; returns how many do.

    `dtype` is what the model computes in. Layers that it does not fit (DoRA, embeddings, trained
    biases) stay PEFT's, and all of them in 16 bits, unless `in_16_bits` (not run on a GPU).
    Quantized weights are dequantized once where they take a quarter of the free memory (of
    `memory_gb`) at most, else in each pass. To be called, by all processes of a stage, when the
    dropout layers are those that are trained with.
    """
    if dtype != torch.float32 and not in_16_bits:
        return 0
    layers = [module for module in model.modules() if _fits(module)]
    quantized = [layer for layer in layers if _is_quantized(layer.get_base_layer())]
    free = least_available_on(next(model.parameters()).device.type, memory_gb)
    once = fits_dequantized(bytes_of(quantized, dtype), free)
    for layer in layers:
        base = layer.get_base_layer()
        weights = _weights(base)
        if once and _is_quantized(base):
            weights = _constant(weights().to(dtype))
        (name,) = layer.active_adapters
        layer.forward = functools.partial(_forward, layer, name, layer.forward, weights, dtype)
    return len(layers)


def fits_dequantized(size: int, free: int) -> bool:
    """Whether base weights of so many bytes are dequantized once, where so many are free."""
    return size < DEQUANTIZED_FRACTION * free


def bytes_of(layers: Iterable[nn.Module], dtype: torch.dtype) -> int:
    """The bytes of the base weights of those of the layers that compute as one function."""
    bases = [layer.get_base_layer() for layer in layers if _fits(layer)]
    return sum(dtype.itemsize * base.in_features * base.out_features for base in bases)


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
    name: str,
    original: Callable[..., torch.Tensor],
    weights: Callable[[], torch.Tensor],
    dtype: torch.dtype,
    inputs: torch.Tensor,
    *args: Any,
    **kwargs: Any,
) -> torch.Tensor:
    is_other = layer.merged or layer.disable_adapters or layer.active_adapters != [name]
    if args or kwargs or is_other or _computes_in(inputs) != dtype:
        return original(inputs, *args, **kwargs)
    inputs = inputs.to(dtype)
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


def _computes_in(inputs: torch.Tensor) -> torch.dtype:
    device = inputs.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else inputs.dtype


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
