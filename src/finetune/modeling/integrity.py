"""Checks that loaded models and adapters are complete and finite.

Libraries initialize missing weights at random and only warn. The checks cost one pass over every
loaded weight, on its own device. Weights that are quantized on loading are checked in their files,
which are read anyway: quantization can turn NaN and infinity into finite numbers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import PreTrainedConfig, PreTrainedModel

from finetune.core.errors import ModelError
from finetune.core.files import read_json

SINGLE = "model.safetensors"
INDEX = f"{SINGLE}.index.json"
# The index of a layer or of an expert in a tensor's name.
NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


def check_complete(name: str, model: PreTrainedModel, loading: Mapping[str, Any]) -> None:
    """Check that every weight of a model came from its files, by the info that loading returned.

    A tied output head, and buffers that a model computes, are in no file and not in that info.
    Unexpected tensors are accepted (a vision tower, further heads), unless they belong to layers
    beyond those that the config declares.

    Raises:
        ModelError: weights are missing, have another shape, or are of more layers than the config.
    """
    if missing := sorted(loading["missing_keys"]):
        raise ModelError(
            f"model.name: {name} lacks weights that its config.json asks for: {listed(missing)}; "
            "they would be random. Is the folder complete, and the config its own?"
        )
    if misshapen := [*sorted(loading["mismatched_keys"]), *_misshapen(model)]:
        mismatches = [
            f"{key} is {tuple(shape)}, not {tuple(expected)}" for key, shape, expected in misshapen
        ]
        raise ModelError(
            f"model.name: {name} has weights of other shapes than its config.json: "
            f"{listed(mismatches)}; is the config its own?"
        )
    known = {NUMBER.sub("", key) for key, _ in model.named_parameters()}
    if surplus := [key for key in loading["unexpected_keys"] if NUMBER.sub("", key) in known]:
        raise ModelError(
            f"model.name: {name} has weights of more layers than its config.json: "
            f"{listed(sorted(surplus))}; is the config its own?"
        )


def check_layers(name: str, config: PreTrainedConfig) -> None:
    """Check that a config declares layers: without any, those of the files would be left out.

    Raises:
        ModelError: it declares none, or fewer.
    """
    layers = getattr(config.get_text_config(), "num_hidden_layers", None)
    if layers is not None and layers < 1:
        raise ModelError(
            f"model.name: {name} has num_hidden_layers {layers} in its config.json; is it damaged?"
        )


def _misshapen(model: PreTrainedModel) -> Iterator[tuple[str, torch.Size, tuple[int, int]]]:
    """Quantized weights whose shape is not their layer's, which loading accepts.

    Yields (name, shape, expected shape).
    """
    for name, module in model.named_modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if not state or not isinstance(module, torch.nn.Linear):
            continue
        expected = (module.out_features, module.in_features)
        if tuple(state.shape) != expected:
            yield f"{name}.weight", state.shape, expected


def check_finite(name: str, model: PreTrainedModel) -> None:
    """Check that all weights of a loaded model are finite; of quantized ones, their blocks' scales.

    Raises:
        ModelError: one is NaN or infinite, in the type that it was loaded in.
    """
    for key, parameter in model.named_parameters():
        for tensor in _floats(parameter):
            if not finite(tensor):
                raise _not_finite(f"{name}: {key}, as loaded in {model.dtype},")


def _floats(parameter: torch.Tensor) -> Iterator[torch.Tensor]:
    state = getattr(parameter, "quant_state", None)
    if state is None:
        yield parameter
        return
    yield state.absmax
    if state.nested:  # the scales are quantized, with scales and a mean of their own
        yield state.offset
        yield state.state2.absmax


def check_files_finite(name: str, folder: Path) -> None:
    """Check that all weights in a model folder's safetensors files are finite.

    Raises:
        ModelError: one is NaN or infinite.
    """
    for file in _weight_files(folder):
        with safe_open(file, "pt") as tensors:
            for key in tensors.keys():  # noqa: SIM118 (no mapping)
                if not finite(tensors.get_tensor(key)):
                    raise _not_finite(f"{name}: {key} in {file.name}")


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers loads a model's weights from; none for pickles."""
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if not (folder / INDEX).is_file():
        return []
    index = read_json(folder / INDEX)
    return sorted({folder / str(file) for file in index["weight_map"].values()})


def _not_finite(where: str) -> ModelError:
    return ModelError(
        f"model.name: {where} holds NaN or infinity; the weights are damaged, or too large for "
        "their type (method.compute_dtype)"
    )


def check_adapter(
    where: str, saved: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]
) -> None:
    """Check that an adapter's saved tensors are those that the attached adapter has, and finite.

    Raises:
        ModelError: some are missing, unexpected, of another shape, or not finite.
    """
    for keys, what in (
        (expected.keys() - saved.keys(), "lacks tensors that its adapter_config.json asks for"),
        (saved.keys() - expected.keys(), "has tensors that this model has no place for"),
    ):
        if keys:
            raise ModelError(f"{where}: the adapter {what}: {listed(sorted(keys))}; {RETRAIN}")
    for key, tensor in saved.items():
        if tensor.shape != expected[key].shape:
            raise ModelError(
                f"{where}: the adapter does not fit the model: {key} is {tuple(tensor.shape)}, "
                f"the model takes {tuple(expected[key].shape)}; {RETRAIN}"
            )
        if not finite(tensor):
            raise ModelError(f"{where}: the adapter holds NaN or infinity in {key}; {RETRAIN}")


RETRAIN = "`dvc checkout` brings back the one of the last run, `dvc repro` trains it anew"


def finite(tensor: torch.Tensor) -> bool:
    """Whether no element is NaN or infinite; in one pass, without a copy."""
    if tensor.numel() == 0 or not tensor.is_floating_point():
        return True
    if tensor.element_size() == 1:  # 8-bit floats have few operations of their own
        tensor = tensor.float()
    # Minimum and maximum of a tensor with a NaN are both NaN.
    return bool(torch.isfinite(torch.stack(torch.aminmax(tensor.detach()))).all())


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first `most` names, comma-separated, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
