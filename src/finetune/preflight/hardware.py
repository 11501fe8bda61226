"""Checks of the GPU and its driver, a training step on this machine, memory and disk."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import set_seed

from finetune.core.errors import ModelError, UserError, squeezed
from finetune.core.memory import GB
from finetune.core.schema import Model, Params
from finetune.methods import registry
from finetune.modeling import base as base_model
from finetune.modeling import fused_lora, gpu_kernels, precision
from finetune.planning.plan import Plan
from finetune.preflight.finding import Finding, fail, ok, warning
from finetune.training.budget import Budget
from finetune.training.dropout import use_row_dropout
from finetune.training.losses import Loss, cross_entropy
from finetune.training.step_trainer import Setup
from finetune.training.trainer import train

SETUP_GPU = "install torch's CUDA build: pip install --force-reinstall torch==VERSION"
ROWS = 10
# On disk at once: the best checkpoint, the last one, and one that is being written.
CHECKPOINTS = 3
# Of what was trained, in the workspace and in the DVC cache.
RESULTS = 2


def gpu() -> Iterator[Finding]:
    """The GPU that torch sees, and its compute dtype."""
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
            f"only {memory[0] / GB:.1f} GB of it are free", "end other processes on it (nvidia-smi)"
        )
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        yield ok("the GPU has no bfloat16: the run computes in float16 and scales its loss")


def _driver() -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or [""])[0].strip()


def step(root: Path, params: Params) -> Iterator[Finding]:
    """One optimizer step of `ROWS` rows with the embedded base model, in the run's method.

    It runs the code of a real run in its precision: whether bitsandbytes, the driver and the GPU
    work together shows only then.
    """
    folder = root / "models/embedded"
    embedded = Model(name=str(folder), source="local", revision=None, watch=str(folder))
    started = time.monotonic()
    try:
        base = base_model.load(embedded, params.method)
        if params.run.gpu_kernels:
            gpu_kernels.use(base.model)
        # The embedded base has other modules than the run's, and no biases.
        lora = params.lora.model_copy(update={"target_modules": "all-linear", "bias": "none"})
        set_seed(params.train.seed)
        model = registry.of(params.method).attach(base.model, lora, params.method)
        dropout_keys = use_row_dropout(model)
        fused_lora.fuse(model, base.dtype, params.run.memory_gb, params.run.gpu_kernels)
        setup = Setup(
            model=model,
            pad_id=base.tokenizer.pad_token_id,
            dtype=base.dtype,
            loss=Loss(cross_entropy),
            budget=Budget(512),
            dropout_keys=dropout_keys,
        )
        ids = base.tokenizer("Anna: Are you there? Tom: Yes.")["input_ids"]
        row = {"input_ids": ids, "labels": [-100] * (len(ids) // 2) + ids[len(ids) // 2 :]}
        options = params.train.model_copy(update={"max_steps": 1, "batch_size": ROWS})
        with tempfile.TemporaryDirectory() as state:
            train(setup, options, params.run, [row] * ROWS, [row], Path(state), "preflight")
    except ModelError as error:  # says itself what to do
        yield fail(f"a training step failed: {squeezed(error)}", "")
        return
    except (UserError, RuntimeError, OSError, ValueError, ImportError) as error:
        yield fail(f"a training step failed: {squeezed(error)}", "see bitsandbytes and the driver")
        return
    seconds = time.monotonic() - started
    dtype = str(base.dtype).removeprefix("torch.")
    yield ok(
        f"a step of {ROWS} rows with a base in {dtype} ({params.method.label}) on "
        f"{precision.device()} "
        f"({seconds:.0f} s with loading)"
    )


def memory(plans: list[Plan], free: int) -> Iterator[Finding]:
    """Whether the plan of each task fits into `free` bytes."""
    for plan in plans:
        what = f"{plan.task}: training takes {plan.peak / GB:.1f} GB of {free / GB:.1f} GB free"
        yield ok(what) if plan.budget else fail(what, f"use {plan.advice}")


def disk(root: Path, params: Params, plans: list[Plan], parameters: int) -> Iterator[Finding]:
    """Whether the disks have space for weights to download (16 bits), checkpoints and results."""
    # What is trained with Adam's two moments, float32: three times its own size.
    copies = CHECKPOINTS * 3 + RESULTS
    needs = [(root, sum(copies * 4 * plan.trainable for plan in plans) + GB)]
    if params.model.source == "hub" and not _is_cached(params.model):
        from huggingface_hub import constants

        cache = Path(constants.HF_HUB_CACHE)
        needs.append((next(p for p in (cache, *cache.parents) if p.is_dir()), 2 * parameters))
    disks: dict[int, list[tuple[Path, int]]] = {}
    for folder, size in needs:
        disks.setdefault(folder.stat().st_dev, []).append((folder, size))
    for parts in disks.values():
        free, size = shutil.disk_usage(parts[0][0]).free, sum(size for _, size in parts)
        folders = " and ".join(str(folder.resolve()) for folder, _ in parts)
        what = f"{free / GB:.0f} GB free in {folders}, about {size / GB:.0f} GB needed"
        yield ok(what) if free > size else fail(what, "free some space, or set HF_HOME elsewhere")


def _is_cached(model: Model) -> bool:
    from huggingface_hub import try_to_load_from_cache

    names = ("model.safetensors", "model.safetensors.index.json")
    paths = (try_to_load_from_cache(model.name, name, revision=model.revision) for name in names)
    return any(isinstance(path, str) for path in paths)
