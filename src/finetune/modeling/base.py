"""Load a base model and its tokenizer, quantized or not, from a folder or from the hub."""

import contextlib
import ctypes
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import cached_file
from transformers.utils import logging as transformers_logging

from finetune.core import hub
from finetune.core.errors import ModelError, brief, is_out_of_memory, squeezed
from finetune.core.memory import least_available_on
from finetune.core.schema import Model, Precision
from finetune.modeling import int8, integrity
from finetune.modeling.precision import compute_dtype, device, use_safe_attention

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 256 * 2**20
LARGEST_KEPT_BYTES = 32 * 2**20  # the most that glibc itself goes up to

# Memory of dequantized weights, with the layer that is being dequantized, as a factor of theirs.
DEQUANTIZED_OVERHEAD = 1.2

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
# What the libraries raise for a folder that is damaged, no model, or needs code of its own.
LOADING_ERRORS = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)


@dataclass(frozen=True)
class Base:
    """A loaded base model.

    context: maximum positions, in tokens; dtype: the type that it computes in.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context: int
    dtype: torch.dtype

    def with_model(self, model: PreTrainedModel) -> "Base":
        """The same with a model that was made of it."""
        return replace(self, model=model)

    def without_positions(self, count: int) -> "Base":
        """The same with so many positions taken, as by a trained prefix."""
        return replace(self, context=self.context - count)


def load(options: Model, how: Precision, for_inference: bool = False) -> Base:
    """The base model in evaluation mode, on the GPU where there is one.

    Quantized weights are dequantized in every forward pass, in training see `fused_lora`. With
    `for_inference` they are dequantized once, which gives the same weights and takes more memory:
    always on a CPU, on a GPU where they fit beside the quantized ones (not tested on a GPU).

    Raises:
        ModelError: the folder or repository is missing, incomplete or damaged, needs code of its
            own, or its weights do not match its config.
    """
    if options.is_hosted:
        raise ModelError(
            f"model.name: {options.name} is behind an API and cannot be loaded here; its provider "
            "tunes it (-S model=hosted -S method=hosted), or scores it as it is: "
            "dvc repro evaluate_base"
        )
    if options.source == "local":
        check_folder(Path(options.name))
    use_safe_attention()
    if device() == "cpu":
        _keep_freed_memory()
    transformers_logging.disable_progress_bar()
    config, tokenizer, model, loading = _from_pretrained(options, how)
    _keep_4bit_weights(model)
    int8.dequantize_in_forward(model)
    integrity.check_layers(options.name, config)
    integrity.check_complete(options.name, model, loading)
    integrity.check_finite(options.name, model)
    if how.is_quantized:
        integrity.check_files_finite(options.name, _folder(options))
    if for_inference and how.is_quantized and _fits_dequantized(model):
        model = _dequantized(model)
    if not isinstance(tokenizer.model_max_length, int | float):
        raise ModelError(
            f"model.name: model_max_length of the tokenizer of {options.name} is "
            f"{brief(tokenizer.model_max_length)}, must be a number (tokenizer_config.json)"
        )
    if tokenizer.eos_token_id is None:
        raise ModelError(f"model.name: the tokenizer of {options.name} has no end token")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.generation_config = _generation_config(model, tokenizer)
    return Base(model.eval(), tokenizer, _context(config), compute_dtype(how))


def _from_pretrained(
    options: Model, how: Precision
) -> tuple[PreTrainedConfig, PreTrainedTokenizerBase, PreTrainedModel, dict[str, Any]]:
    """Config, tokenizer, model and loading info, as transformers loads them.

    Raises:
        ModelError: a library raised an error.
    """
    # A model's own code is never run. Where this is not set, transformers asks on stdin.
    pin: dict[str, Any] = {"trust_remote_code": False}
    if options.source == "hub":
        pin["revision"] = options.revision
    try:
        config = AutoConfig.from_pretrained(options.name, **pin)
        tokenizer = AutoTokenizer.from_pretrained(options.name, **pin)
        with _quiet():  # about mismatched weights, which become an error of one line
            model, loading = AutoModelForCausalLM.from_pretrained(
                options.name,
                config=config,
                dtype=compute_dtype(how),
                quantization_config=_quantization(how),
                device_map={"": device()},
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # its own error names no weight
                **pin,
            )
    except Exception as error:  # of a damaged folder the libraries raise whatever they stumble on
        if is_out_of_memory(error):
            raise
        why = hub.reason(error, options.name, "model") if options.source == "hub" else None
        said = squeezed(error) if isinstance(error, LOADING_ERRORS) else hub.one_line(error)
        if isinstance(
            error, pickle.UnpicklingError
        ):  # torch's message advises to run what is in it
            said = "its weights are a pickle of more than tensors; get them as safetensors"
        why = why or f"{options.name} cannot be loaded: {said}"
        raise ModelError(f"model.name: {why}") from error
    return config, tokenizer, model, loading


def _generation_config(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> GenerationConfig:
    """Greedy, with the model's end tokens: its other settings may sample, or stop early."""
    stops = model.generation_config.eos_token_id
    stops = stops if isinstance(stops, list) else [stops]
    if wrong := [stop for stop in stops if not isinstance(stop, int | None)]:
        raise ModelError(
            f"model.name: eos_token_id of the model's generation_config.json is {brief(wrong[0])}, "
            "must be the id of a token"
        )
    stops = [stop for stop in stops if stop is not None]
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=sorted({tokenizer.eos_token_id, *stops}),
        do_sample=False,
    )


def _keep_freed_memory() -> None:
    """Have glibc keep freed memory, up to `KEPT_BYTES`, for the next tensors.

    By default it returns most of it to the system at once, and the activations of each layer are
    paged in again, which took a fifth of the time of the embedded model's prefill. Training that
    returns memory took half as much of it (see `training.budget`) and 1.5 times as long.
    """
    mallopt = getattr(ctypes.CDLL(None) if os.name == "posix" else None, "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _keep_4bit_weights(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking 4-bit weights.

    On a CPU with AVX-512 BF16 it repacks them at the first forward pass in evaluation mode, and
    computes in bfloat16 from then on: after a validation, training would continue with other
    weights than a run that is resumed there.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _fits_dequantized(model: PreTrainedModel) -> bool:
    """Whether all weights in the compute type fit into the free memory.

    Always true on a CPU, where dequantizing in each forward pass is too slow to be of use. Of
    several processes it is the same in all.
    """
    if model.device.type == "cpu":
        return True
    needed = DEQUANTIZED_OVERHEAD * model.dtype.itemsize * model.num_parameters()
    return needed < least_available_on(model.device.type)


def _dequantized(model: PreTrainedModel) -> PreTrainedModel:
    with _quiet():  # about the dequantization itself
        return model.dequantize(model.dtype)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Only errors of transformers are logged in this context."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def _folder(options: Model) -> Path:
    """The folder of a model's files: its own, or the one in the hub's cache."""
    if options.source == "local":
        return Path(options.name)
    return Path(cached_file(options.name, "config.json", revision=options.revision)).parent


def _quantization(how: Precision) -> BitsAndBytesConfig | None:
    if how.quantization == "none":
        return None
    if how.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=how.quantization,
        bnb_4bit_use_double_quant=how.double_quantization,
        bnb_4bit_compute_dtype=compute_dtype(how),
    )


def _context(config: PreTrainedConfig) -> int:
    """The maximum of positions, practically unlimited where the config does not say."""
    return getattr(config.get_text_config(), "max_position_embeddings", None) or 1_000_000


def check_folder(path: Path) -> None:
    """Check that a folder holds a model's config and weights, before anything is loaded.

    Raises:
        ModelError: it does not.
    """
    if not path.is_dir():
        raise ModelError(
            f"model.name: no folder {path} (in the queue and in --temp runs give an absolute path)"
        )
    if not (path / "config.json").is_file() and (path / "dvc.yaml").is_file():
        raise ModelError(f"model.name: {path} holds no model yet; run `make {path.name}`")
    if not (path / "config.json").is_file():
        raise ModelError(f"model.name: {path} holds no config.json; is it a Hugging Face folder?")
    if not [file for pattern in WEIGHTS for file in path.glob(pattern)]:
        raise ModelError(f"model.name: {path} holds no weights ({' or '.join(WEIGHTS)})")
