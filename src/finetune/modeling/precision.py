"""Precision: training and inference compute in the same type, adapters included.

Base weights are stored in the compute type (or in 4 or 8 bits), what is trained in float32. Where
the compute type has 16 bits, both compute under autocast.
"""

import contextlib
import os
from collections.abc import Iterator

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from finetune.core.errors import ParamsError
from finetune.core.schema import Precision


def device() -> str:
    """The device that models run on: `cuda` where there is a GPU, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype(how: Precision) -> torch.dtype:
    """The type that layers compute in.

    `auto` is bfloat16 on a GPU that supports it, float16 on one that does not (T4, V100; training
    then scales its loss), and float32 on a CPU, most of which emulate both.

    Raises:
        ParamsError: float16 without a GPU, where training has no loss scaler.
    """
    if how.compute_dtype == "float16" and device() == "cpu":
        raise ParamsError("method.compute_dtype: float16 needs a GPU; use auto or float32")
    if how.compute_dtype != "auto":
        return getattr(torch, how.compute_dtype)
    if device() == "cpu":
        return torch.float32
    has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bfloat16 else torch.float16


@contextlib.contextmanager
def autocast(model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Forward passes in this context compute in `dtype`: under autocast if it has 16 bits."""
    if dtype == torch.float32:
        yield
        return
    with torch.autocast(next(model.parameters()).device.type, dtype):
        yield


def disable_input_cast(model: nn.Module, dtype: torch.dtype) -> None:
    """Keep an adapter's layers from casting 16-bit inputs to float32.

    PEFT would cast each input to the adapter's type, and autocast cast it back. Permanent, not part
    of `autocast`: gradient checkpointing recomputes layers in the backward pass.
    """
    if dtype == torch.float32:
        return
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.cast_input_dtype_enabled = False


def use_safe_attention() -> None:
    """Disable cuDNN's attention kernels: gradients of padded rows were NaN (pytorch#196678)."""
    torch.backends.cuda.enable_cudnn_sdp(False)


def use_deterministic_kernels() -> None:
    """Use deterministic kernels only, for a bitwise equal resume on a GPU; slower.

    Call it before anything is computed: cuBLAS reads its setting when it is first used. Not tested
    on a GPU. The Trainer's `full_determinism` would make kernel launches synchronous as well.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
