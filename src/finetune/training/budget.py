"""How many tokens a micro-batch may have: from the memory that is there, and what a token takes.

The budget belongs to the machine: it is kept with the run state and used again on resume, so that a
run that was killed is cut as it was before, but it is no part of what tells two runs apart.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel

from finetune.core.errors import ModelError, is_out_of_memory
from finetune.core.files import read_json, write_json
from finetune.core.memory import GB, available_on
from finetune.core.schema import Run
from finetune.modeling import footprint, precision
from finetune.modeling.footprint import Footprint
from finetune.training.examples import Example, learned_rate

log = logging.getLogger(__name__)

# Budgets are powers of two up to a cap, so that two runs on one machine are cut alike although a
# little more or less memory is free. The GPU's cap was not run on one.
CAP = {"cpu": 1024, "cuda": 16384}
SMALLEST = 128
# Of the free memory; the rest is for what no tensor shows: allocators, operators' own buffers.
USABLE = 0.85
# Bytes of memory for a byte of tensors. A heap is left with holes by tensors that are freed between
# those that are kept for the backward pass: with glibc 2.36 whole runs of SmolLM2-135M took 2.2
# (SAMSum) and 2.6 times (prices) the bytes of its tensors. On a GPU `USABLE` leaves the room.
HEAP_OVERHEAD = {"cpu": 2.4, "cuda": 1.0}
# Of a trained parameter: its gradient and Adam's two moments, float32 all.
OPTIMIZER_BYTES = 12

Wanted = int | Literal["auto"]


@dataclass(frozen=True)
class Budget:
    """Tokens of a micro-batch, padding included, and whether activations are checkpointed."""

    tokens: int
    gradient_checkpointing: bool = False


def find(options: Run, model: PeftModel, dtype: torch.dtype, examples: Sequence[Example]) -> Budget:
    """The budget for a run over these examples, on the machine as it is now.

    Raises:
        ModelError: see `fitting`.
    """
    device = model.device.type
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    rate = learned_rate(examples)
    free = available_on(device, options.memory_gb)
    footprints: dict[bool, Footprint] = {}

    def measure(checkpointing: bool) -> Footprint:
        with precision.computing(model, dtype):
            footprints[checkpointing] = footprint.measure(model, rate, checkpointing)
        return footprints[checkpointing]

    longest = max(len(example["input_ids"]) for example in examples)
    budget = fitting(
        options.token_budget, longest, free - OPTIMIZER_BYTES * trainable, device, measure
    )
    step = footprints[budget.gradient_checkpointing].times(HEAP_OVERHEAD[device])
    peak = step.of(max(longest, budget.tokens)) + OPTIMIZER_BYTES * trainable
    log.info(
        f"micro-batches of {budget.tokens} tokens{_checkpointing(budget)}: about {peak / GB:.1f} "
        f"GB beside the model, {free / GB:.1f} GB are free"
    )
    return budget


def _checkpointing(budget: Budget) -> str:
    return " with gradient checkpointing" if budget.gradient_checkpointing else ""


def fitting(
    wanted: Wanted,
    longest: int,
    free: int,
    device: str,
    measure: Callable[[bool], Footprint],
) -> Budget:
    """The budget for rows of at most `longest` tokens in `free` bytes of memory.

    `measure(checkpointing)` is the footprint of a step. Gradient checkpointing is turned on only
    where the longest row, or the budget that is `wanted`, does not fit without it.

    Raises:
        ModelError: a single row does not fit, even with gradient checkpointing.
    """
    usable = round(USABLE * free)
    needed = longest if wanted == "auto" else max(longest, wanted)
    for checkpointing in (False, True):
        found = measure(checkpointing).times(HEAP_OVERHEAD[device])
        tokens = found.fit(usable)
        if tokens >= needed:
            cap = min(tokens, CAP[device])
            chosen = 2 ** max(0, cap.bit_length() - 1) if wanted == "auto" else wanted
            return Budget(chosen, checkpointing)
    takes = f"{found.of(needed) / USABLE / GB:.1f} GB to train on, gradient checkpointing included"
    there = f"{free / GB:.1f} GB are free"
    if wanted != "auto" and tokens >= longest:
        raise ModelError(
            f"run.token_budget: {wanted} tokens take {takes}; {there}: set it to {tokens} or less"
        )
    remedy = "take a smaller model, or a machine with more memory"
    if tokens >= SMALLEST:
        remedy = (
            "in the task's config lower prompt.max_tokens, so that a prompt with its completion "
            f"has {tokens} tokens or less, or {remedy}"
        )
    raise ModelError(f"the longest row has {longest} tokens, which take {takes}; {there}: {remedy}")


def resolve(
    run_state: Path, wanted: Wanted, find_now: Callable[[], Budget], was_too_large: bool
) -> Budget:
    """The budget that a run keeps to: on resume the one of its run state, if that still fits.

    Half of it, where the kernel killed the run for want of memory. Where it differs from the run
    state's, the resumed run equals the uninterrupted one up to rounding only, which is said.
    """
    kept = _kept(run_state)
    budget = find_now()
    if kept and wanted == "auto":
        budget = smaller(kept) if was_too_large else _least(kept, budget)
    if kept and kept != budget:
        log.warning(
            f"resumes with {budget.tokens} tokens a micro-batch{_checkpointing(budget)} where it "
            f"began with {kept.tokens}: equal to an uninterrupted run up to rounding"
        )
    keep(run_state, budget)
    return budget


def _kept(run_state: Path) -> Budget | None:
    file = run_state / "budget.json"
    return Budget(**read_json(file)) if file.is_file() else None


def keep(run_state: Path, budget: Budget) -> None:
    """Write a budget into the run state, for the run that resumes it."""
    write_json(run_state / "budget.json", asdict(budget))


def _least(one: Budget, other: Budget) -> Budget:
    """The one that takes less memory."""
    return min(one, other, key=lambda b: (not b.gradient_checkpointing, b.tokens))


@contextlib.contextmanager
def halved_if_too_large(run_state: Path, budget: Budget) -> Iterator[None]:
    """Where the block runs out of memory, let the run that resumes it take half the budget."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            half = smaller(budget)
            keep(run_state, half)
            log.warning(f"the same command resumes with {half.tokens} tokens a micro-batch")
        raise


def smaller(budget: Budget) -> Budget:
    """Half the tokens; where few are left, a single row is what does not fit."""
    tokens = max(SMALLEST, budget.tokens // 2)
    return Budget(tokens, budget.gradient_checkpointing or tokens == budget.tokens)


def as_metrics(budget: Budget) -> dict[str, Any]:
    """The budget as `train.json` has it, under `run`."""
    return {
        "token_budget": budget.tokens,
        "gradient_checkpointing": budget.gradient_checkpointing,
    }
