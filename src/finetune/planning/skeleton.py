"""A model with its adapter as shapes alone: parameters and memory of training, without weights."""

from dataclasses import dataclass

import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

from finetune.core.errors import ModelError, squeezed
from finetune.core.schema import Lora, Method, Model
from finetune.modeling import adapters, footprint, precision
from finetune.modeling.footprint import Footprint
from finetune.planning import architectures
from finetune.training.dropout import draw_by_row

# NF4: half a byte a weight, a scale for each 64 of them (float32, or with double quantization one
# byte and a float32 for each 256 scales); QLoRA, Dettmers et al. 2023, section 3.
BLOCK, OUTER_BLOCK = 64, 256
# Of the rows that are measured: shapes cost nothing, and long rows show what grows with tokens.
WIDTHS = (512, 1024)


@dataclass(frozen=True)
class Skeleton:
    """What shapes tell of a model: parameters, bytes of its parts, and of a training step.

    `multiplied` counts the parameters that a token is multiplied with, the output layer at the rate
    of learned tokens. `activations` is what a step takes with hardly any logits, `step` with those
    of the rate of learned tokens that was asked for.
    """

    parameters: int
    trainable: int
    multiplied: int
    weights: int
    quantization: int
    adapter: int
    activations: Footprint
    step: Footprint


def config(model: Model) -> PreTrainedConfig:
    """The model's config: of its folder, of the hub's cache, or as it is known here.

    Raises:
        ModelError: it stands in neither.
    """
    if model.source == "hub":
        known = architectures.config(model.name)
        if known is not None:
            return known
    try:
        pin = {"revision": model.revision} if model.source == "hub" else {}
        return AutoConfig.from_pretrained(
            model.name, local_files_only=True, trust_remote_code=False, **pin
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model.name: the shapes of {model.name} are not known here: {squeezed(error)}"
        ) from error


def parameters(model: Model) -> int:
    """How many parameters a model has."""
    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(config(model))
    return sum(each.numel() for each in base.parameters())


def build(
    shapes: PreTrainedConfig,
    method: Method,
    lora: Lora,
    dtype: torch.dtype,
    learned_rate: float,
    checkpointing: bool,
) -> Skeleton:
    """The memory of a model of these shapes under an adapter, computing in `dtype`."""
    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(shapes, dtype=dtype)
        count = sum(each.numel() for each in base.parameters())
        linear = _linear(base)
        quantized = linear if method.quantization == "nf4" else 0
        head = base.get_output_embeddings().weight.numel()
        model = adapters.attach(base, lora)
        draw_by_row(model)
    trainable, _ = model.get_nb_trainable_parameters()
    with FakeTensorMode():
        _fake(model)
        with precision.computing(model, dtype):
            measured = [
                footprint.measure(model, rate, checkpointing, WIDTHS)
                for rate in (0.0, learned_rate)
            ]
    size = torch.empty(0, dtype=dtype).element_size()
    scale = 1 + 4 / OUTER_BLOCK if method.double_quantization else 4
    return Skeleton(
        count,
        trainable,
        linear + trainable + round(learned_rate * head),
        round((count - quantized) * size + quantized / 2),
        round(quantized / BLOCK * scale),
        4 * trainable,
        *measured,
    )


def _linear(model: nn.Module) -> int:
    """Parameters of linear layers, but for the output layer: what bitsandbytes holds in 4 bits."""
    head = model.get_output_embeddings()
    layers = [each for each in model.modules() if isinstance(each, nn.Linear) and each is not head]
    return sum(each.weight.numel() for each in layers)


def _fake(model: nn.Module) -> None:
    """Give a model on the meta device tensors that claim to be on the CPU, which has real kernels.

    What attention keeps depends on the kernel, and the meta device has none.
    """
    for module in model.modules():
        for name, value in module.named_parameters(recurse=False):
            fake = torch.empty(value.shape, dtype=value.dtype)
            setattr(module, name, nn.Parameter(fake, requires_grad=value.requires_grad))
        for name, value in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(value.shape, dtype=value.dtype))
