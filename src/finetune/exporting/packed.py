"""Weights of linear layers rounded to 4 or 8 bits, in the format `compressed-tensors`.

That is vLLM's own format for such weights, and transformers loads it. Each weight is rounded to
the nearest of the values that its scale allows, without calibration rows; embeddings and output
layer stay as they are. What calibrates (GPTQ, AWQ) is in llmcompressor, whose pins clash with ours.
"""

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from finetune.core.errors import ModelError, UserError
from finetune.exporting import folders, merging
from finetune.exporting.source import Loaded, Shell, Source, refuse_unless_mergeable
from finetune.modeling.precision import compute_dtype, device

REQUIREMENTS = "requirements-export.txt"
PACKAGE = "compressed_tensors"
# Inputs of a layer that share a scale, in the order of preference; vLLM has kernels for these.
GROUPS = (128, 64, 32)


@dataclass(frozen=True)
class Packed:
    """The form of so many bits: with a scale for each output row, or for each group of inputs."""

    NAME: str
    bits: int
    is_grouped: bool

    def check(self, source: Source) -> None:
        """See `forms.Form.check`."""
        refuse_unless_mergeable(source, self.NAME)
        if importlib.util.find_spec(PACKAGE) is None:
            raise UserError(
                f"--form {self.NAME}: needs compressed-tensors: pip install -r {REQUIREMENTS}"
            )

    def label(self, source: Source) -> str:
        """See `forms.Form.label`."""
        return source.label(self.NAME)

    def write(self, source: Source, folder: Path) -> None:
        """See `forms.Form.write`.

        Raises:
            ModelError: the layers' inputs cannot be grouped.
        """
        base = merging.merged(source, source.into)
        group = group_size(base.model) if self.is_grouped else None
        compress(base.model, self.bits, group)
        folders.save(base.model, base.tokenizer, folder)
        _write_config(base.model, folder, self.bits, group)

    def load(self, source: Source, folder: Path, shell: Shell) -> Loaded:
        """See `forms.Form.load`. Weights are dequantized once, as `modeling.base` does its own."""
        from transformers import CompressedTensorsConfig

        with warnings.catch_warnings():  # that of its options the config's own are taken, but one
            warnings.simplefilter("ignore", UserWarning)
            model, loading = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=compute_dtype(source.on_original),
                quantization_config=CompressedTensorsConfig(dequantize=True),
                device_map={"": device()},
                output_loading_info=True,
                trust_remote_code=False,
            )
        if loading["missing_keys"] or loading["unexpected_keys"]:
            raise ModelError(f"{folder}: the exported model has other tensors than its config says")
        return Loaded(shell.around(model.eval()))


INT8 = Packed("int8", bits=8, is_grouped=False)
INT4 = Packed("int4", bits=4, is_grouped=True)


def group_size(model: PreTrainedModel) -> int:
    """The largest group that the inputs of all linear layers can be divided into.

    Raises:
        ModelError: there is none.
    """
    sizes = {layer.in_features for _, layer in _layers(model)}
    fitting = [group for group in GROUPS if all(size % group == 0 for size in sizes)]
    if not fitting:
        raise ModelError(
            f"--form int4: layers with {', '.join(map(str, sorted(sizes)))} inputs cannot be "
            f"divided into groups of {GROUPS[-1]}; take --form int8"
        )
    return fitting[0]


def _layers(model: PreTrainedModel) -> list[tuple[str, nn.Linear]]:
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not model.get_output_embeddings()
    ]


def _output_layer(model: PreTrainedModel) -> list[str]:
    """The name of the layer that gives logits: `lm_head`, in some architectures another."""
    layer = model.get_output_embeddings()
    return [name for name, module in model.named_modules() if module is layer]


@torch.no_grad()
def compress(model: PreTrainedModel, bits: int, group: int | None) -> None:
    """Round the weights of all linear layers but the last, and pack them."""
    from compressed_tensors.compressors.base import compress_module
    from compressed_tensors.quantization import apply_quantization_config
    from compressed_tensors.quantization.utils import calculate_qparams

    config = _config(model, bits, group)
    apply_quantization_config(model, config, show_progress=False)
    arguments = config.config_groups["weights"].weights
    for _, layer in _layers(model):
        grouped = layer.weight.unflatten(-1, (-1, group or layer.in_features))
        scale, zero = calculate_qparams(grouped.amin(-1), grouped.amax(-1), arguments)
        layer.weight_scale.copy_(scale)
        layer.weight_zero_point.copy_(zero)
        compress_module(layer)


def _config(model: PreTrainedModel, bits: int, group: int | None) -> Any:
    from compressed_tensors.quantization import (
        QuantizationArgs,
        QuantizationConfig,
        QuantizationScheme,
    )

    weights = QuantizationArgs(
        num_bits=bits,
        type="int",
        symmetric=True,
        strategy="channel" if group is None else "group",
        group_size=group,
    )
    return QuantizationConfig(
        config_groups={"weights": QuantizationScheme(targets=["Linear"], weights=weights)},
        ignore=_output_layer(model),
        format="pack-quantized",
    )


def _write_config(model: PreTrainedModel, folder: Path, bits: int, group: int | None) -> None:
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import QuantizationStatus

    config = _config(model, bits, group)
    config.quantization_status = QuantizationStatus.COMPRESSED
    ModelCompressor(quantization_config=config).update_config(str(folder))
