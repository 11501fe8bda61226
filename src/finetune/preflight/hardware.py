"""The GPU and its driver, a step of training run on this machine, memory and disk."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import set_seed

from finetune.errors import UserError, squeezed
from finetune.memory import GB
from finetune.modeling import adapters, precision
from finetune.modeling import base as base_model
from finetune.planning.plan import Plan
from finetune.preflight.finding import Finding, fail, ok, warning
from finetune.schema import Model, Params
from finetune.training.budget import Budget
from finetune.training.losses import CompletionLoss
from finetune.training.trainer import Setup, train

SETUP_GPU = "install torch's CUDA build: pip install --force-reinstall torch==VERSION"
ROWS = 10
# A base in 16 bits, its 4-bit copy while loading, the libraries' caches: what a run may write.
CHECKPOINTS = 3


def gpu() -> Iterator[Finding]:
    """The GPU that torch sees, and what it computes in."""
    driver = _driver()
    if not torch.cuda.is_available():
        if driver:
            yield fail(
                f"driver {driver} is there, but this torch ({torch.__version__}) sees no GPU",
                SETUP_GPU.replace("VERSION", torch.__version__.partition("+")[0]),
            )
        else:
            yield ok("no GPU here: the run uses the processor, in float32")
        return
    name, memory = torch.cuda.get_device_name(), torch.cuda.mem_get_info()
    yield ok(f"{name}, {memory[1] / GB:.0f} GB, driver {driver}, CUDA {torch.version.cuda}")
    if memory[0] < 0.9 * memory[1]:
        yield warning(
            f"only {memory[0] / GB:.1f} GB of it are free", "end what else uses it (nvidia-smi)"
        )
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        yield ok("it has no bfloat16: the run computes in float16 and scales its loss")


def _driver() -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or [""])[0].strip()


def step(root: Path, params: Params) -> Iterator[Finding]:
    """One optimizer step of ten rows with the small base that ships: quantized, under an adapter.

    The run's own code, in its precision: what bitsandbytes, the driver and the GPU can do together.
    """
    folder = root / "models/embedded"
    model = Model(name=str(folder), source="local", revision=None, watch=str(folder))
    started = time.monotonic()
    try:
        base = base_model.load(model, params.method)
        lora = params.lora.model_copy(update={"target_modules": "all-linear"})
        set_seed(params.train.seed)
        setup = Setup(
            adapters.attach(base.model, lora),
            base.tokenizer.pad_token_id,
            base.dtype,
            CompletionLoss(None, 0.0),
            Budget(512),
        )
        ids = base.tokenizer("Anna: Are you there? Tom: Yes.")["input_ids"]
        row = {"input_ids": ids, "labels": [-100] * (len(ids) // 2) + ids[len(ids) // 2 :]}
        options = params.train.model_copy(update={"max_steps": 1, "batch_size": ROWS})
        with tempfile.TemporaryDirectory() as state:
            train(setup, options, params.run, [row] * ROWS, [row], Path(state), "preflight")
    except (UserError, RuntimeError, OSError, ValueError, ImportError) as error:
        yield fail(f"a training step failed: {squeezed(error)}", "see bitsandbytes and the driver")
        return
    seconds = time.monotonic() - started
    kind = str(base.dtype).removeprefix("torch.")
    quantized = "4-bit" if params.method.quantization == "nf4" else "unquantized"
    yield ok(
        f"a step of {ROWS} rows with a {quantized} base in {kind} on {precision.device()} "
        f"({seconds:.0f} s with loading)"
    )


def memory(plans: list[Plan], free: int) -> Iterator[Finding]:
    """The plan of each task against the memory that is free."""
    for plan in plans:
        what = f"{plan.task}: training takes {plan.peak / GB:.1f} GB of {free / GB:.1f} GB free"
        yield ok(what) if plan.budget else fail(what, f"use {plan.advice}")


def disk(root: Path, params: Params, plans: list[Plan], parameters: int) -> Iterator[Finding]:
    """Free space for the weights to be downloaded, and for checkpoints and adapters."""
    # An adapter with Adam's two moments, float32: three times its own size.
    needed = {root: sum(CHECKPOINTS * 3 * 4 * plan.trainable for plan in plans) + 10**9}
    if params.model.source == "hub":
        from huggingface_hub import constants

        cache = Path(constants.HF_HUB_CACHE)
        where = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
        needed[where] = needed.get(where, 0) + 2 * parameters
    for folder, size in needed.items():
        free = shutil.disk_usage(folder).free
        what = f"{free / GB:.0f} GB free in {folder.resolve()}, about {size / GB:.0f} GB needed"
        yield ok(what) if free > size else fail(what, "free some space, or set HF_HOME elsewhere")
