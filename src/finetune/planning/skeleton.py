"""Parameters and training memory of a model that is tuned, from shapes without weights."""

from dataclasses import dataclass

import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

from finetune.core.errors import ModelError, squeezed
from finetune.core.schema import Lora, Method, Model
from finetune.methods import registry
from finetune.modeling import footprint, fused_lora, precision
from finetune.modeling.footprint import Footprint
from finetune.planning import architectures
from finetune.planning.lengths import Lengths
from finetune.training import budget
from finetune.training.dropout import use_row_dropout

# NF4: half a byte per weight and a scale per block of 64 weights (float32, or with double
# quantization one byte and a float32 per 256 scales); QLoRA, Dettmers et al. 2023, section 3.
# int8: a byte per weight, a float32 per output; LLM.int8, Dettmers et al. 2022.
BLOCK, OUTER_BLOCK = 64, 256
BYTES = {"nf4": 0.5, "int8": 1}
# Lengths in tokens of the measured rows: fake tensors cost nothing, and long rows show the slope.
WIDTHS = (512, 1024)


@dataclass(frozen=True)
class Skeleton:
    """Parameter counts of a model, bytes of its components, and the footprint of a training step.

    `matmul_parameters` counts the parameters that a token is multiplied with, the output layer
    weighted by the rate of learned tokens. `activations` is the footprint of a step with hardly any
    logits, `step` that with the logits of the learned tokens. `weights`, `quantization`,
    `dequantized` and `adapter` are bytes; no adapter where all weights are trained. `dequantized`
    is of the quantized weights that are held so too, where they fit.
    """

    parameters: int
    trainable: int
    matmul_parameters: int
    weights: int
    quantization: int
    dequantized: int
    adapter: int
    activations: Footprint
    step: Footprint


def config(model: Model) -> PreTrainedConfig:
    """The model's config: from its folder, the hub's cache or `planning.architectures`.

    Raises:
        ModelError: none of them has it.
    """
    if model.is_hosted:
        raise ModelError(
            f"model.name: {model.name} is behind an API, and takes nothing of this machine; the "
            "stages tell tokens and cost before they send anything (run.max_usd)"
        )
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
    """The number of parameters of a model."""
    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(config(model))
    return sum(each.numel() for each in base.parameters())


def build(
    shapes: PreTrainedConfig,
    method: Method,
    lora: Lora,
    dtype: torch.dtype,
    rows: Lengths,
    checkpointing: bool,
) -> Skeleton:
    """The skeleton of a model with these shapes, tuned by a method, computing in `dtype`.

    It is trained on rows of these lengths, with their loss.

    Raises:
        ModelError: the model, tuned by this method, does not take the masks that the loss needs.
    """
    # What the factors start from takes weights to compute, and no other memory.
    lora = lora.model_copy(update={"init": "kaiming"})
    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(shapes, dtype=dtype)
        count = sum(each.numel() for each in base.parameters())
        layers = _linear(base)
        linear = sum(each.weight.numel() for each in layers)
        outputs = sum(each.out_features for each in layers)
        head = base.get_output_embeddings().weight.numel()
        model = registry.of(method).attach(base, lora, method)
        if rows.branches:
            registry.check_tree_masks(method, model)
        use_row_dropout(model)
        size = base.dtype.itemsize
    trainable = registry.trainable_parameters(model)
    added = sum(each.numel() for each in model.parameters()) - count
    # Made before, as their padding is looked for, which fake tensors do not tell.
    passes = budget.branch_passes(model, "cpu", dtype, rows.loss, rows.example)
    with FakeTensorMode(allow_non_fake_inputs=True):
        _fake(model)
        with precision.autocast(model, dtype):
            activations, step = (
                footprint.measure(model, rate, checkpointing, WIDTHS)
                for rate in (0.0, rows.learned_rate)
            )
        if rows.branches:
            step = footprint.fitted(model, *passes, checkpointing)
    is_held = method.is_quantized and dtype == torch.float32
    quantized = linear if method.is_quantized else 0
    scale = 1 + 4 / OUTER_BLOCK if method.double_quantization else 4
    constants = {"nf4": linear / BLOCK * scale, "int8": 4 * outputs, "none": 0}
    return Skeleton(
        parameters=count,
        trainable=trainable,
        matmul_parameters=linear + added + round(rows.learned_rate * head),
        weights=round((count - quantized) * size + quantized * BYTES.get(method.quantization, 0)),
        quantization=round(constants[method.quantization]),
        dequantized=fused_lora.bytes_of(model.modules(), dtype) if is_held else 0,
        adapter=4 * added,
        activations=activations,
        step=step,
    )


def _linear(model: nn.Module) -> list[nn.Linear]:
    """The linear layers except the output layer: those that bitsandbytes quantizes."""
    head = model.get_output_embeddings()
    return [each for each in model.modules() if isinstance(each, nn.Linear) and each is not head]


def _fake(model: nn.Module) -> None:
    """Replace the tensors of a model on the meta device by fake tensors on the CPU.

    The activations that attention saves depend on its kernel, and the meta device has none.
    """
    for module in model.modules():
        for name, value in module.named_parameters(recurse=False):
            fake = torch.empty(value.shape, dtype=value.dtype)
            setattr(module, name, nn.Parameter(fake, requires_grad=value.requires_grad))
        for name, value in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(value.shape, dtype=value.dtype))
    # PEFT keeps the ids of a prefix's virtual tokens beside its modules.
    ids = getattr(model, "prompt_tokens", {})
    for name, value in ids.items():
        ids[name] = torch.zeros(value.shape, dtype=value.dtype)
