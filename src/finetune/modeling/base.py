"""Load a base model and its tokenizer, quantized or not, from a folder or from the hub."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from finetune.errors import ModelError
from finetune.memory import available_on
from finetune.schema import Method, Model

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 256 * 2**20
LARGEST_KEPT_BYTES = 32 * 2**20  # the most that glibc itself goes up to

# Dequantized weights, and room for the layer that is being dequantized.
DEQUANTIZED_ROOM = 1.2

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class Base:
    """A loaded model with what belongs to it."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context: int  # positions that the model was made for


def load(options: Model, method: Method, for_inference: bool = False) -> Base:
    """The base model in evaluation mode, on the GPU where there is one.

    Every pass would dequantize all weights anew; `for_inference` does it once, which gives the same
    weights in more memory: on a CPU always, on a GPU where they fit beside the quantized ones (that
    was not run on a GPU).

    Raises:
        ModelError: the folder or repository is missing or incomplete.
    """
    if options.source == "local":
        check_folder(Path(options.name))
    if device() == "cpu":
        _keep_freed_memory()
    transformers_logging.disable_progress_bar()
    pin = {"revision": options.revision} if options.source == "hub" else {}
    try:
        config = AutoConfig.from_pretrained(options.name, **pin)
        tokenizer = AutoTokenizer.from_pretrained(options.name, **pin)
        model = AutoModelForCausalLM.from_pretrained(
            options.name,
            config=config,
            dtype=compute_dtype(method),
            quantization_config=_quantization(method),
            device_map={"": device()},
            **pin,
        )
    except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
        said = " ".join(str(error).split())
        raise ModelError(f"model.name: {options.name} cannot be loaded: {said[:300]}") from error
    if for_inference and method.quantization != "none" and _fits_dequantized(model):
        model = _dequantized(model)
    if tokenizer.eos_token_id is None:
        raise ModelError(f"model.name: the tokenizer of {options.name} has no end token")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    # Decoding is ours to say: a model's own settings may sample, or stop early.
    stops = model.generation_config.eos_token_id
    stops = [stops] if isinstance(stops, int) else stops or []
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=sorted({tokenizer.eos_token_id, *stops}),
        do_sample=False,
    )
    return Base(model.eval(), tokenizer, context=_context(config))


def _keep_freed_memory() -> None:
    """Have glibc keep what tensors free, up to `KEPT_BYTES`, for the tensors that come next.

    By default it gives most of it back at once, and each layer's activations are paged in anew,
    which takes a fifth of the time that the embedded model takes to read prompts.
    """
    mallopt = getattr(ctypes.CDLL(None) if os.name == "posix" else None, "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _fits_dequantized(model: PreTrainedModel) -> bool:
    """Whether all weights in the compute type take less than the memory that is left.

    A CPU is not asked: there dequantizing in each pass is too slow to be of use.
    """
    if model.device.type == "cpu":
        return True
    needed = DEQUANTIZED_ROOM * model.dtype.itemsize * model.num_parameters()
    return needed < available_on(model.device.type)


def _dequantized(model: PreTrainedModel) -> PreTrainedModel:
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # it warns of what is asked for
    try:
        return model.dequantize()
    finally:
        transformers_logging.set_verbosity(verbosity)


def check_folder(path: Path) -> None:
    """See that a folder holds a model before anything is loaded.

    Raises:
        ModelError: it does not.
    """
    if not path.is_dir():
        raise ModelError(
            f"model.name: no folder {path} (in the queue and in --temp runs give an absolute path)"
        )
    if not (path / "config.json").is_file():
        raise ModelError(f"model.name: {path} holds no config.json; is it a Hugging Face folder?")
    if not [file for pattern in WEIGHTS for file in path.glob(pattern)]:
        raise ModelError(f"model.name: {path} holds no weights ({' or '.join(WEIGHTS)})")


def device() -> str:
    """Where the model runs."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype(method: Method) -> torch.dtype:
    """The type that layers compute in; `auto` is what the hardware is fast at."""
    if method.compute_dtype != "auto":
        return getattr(torch, method.compute_dtype)
    fast = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if fast else torch.float32


def _quantization(method: Method) -> BitsAndBytesConfig | None:
    if method.quantization == "none":
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=method.quantization,
        bnb_4bit_use_double_quant=method.double_quantization,
        bnb_4bit_compute_dtype=compute_dtype(method),
    )


def _context(config: AutoConfig) -> int:
    return getattr(config.get_text_config(), "max_position_embeddings", None) or 1_000_000
