"""How many tokens a micro-batch may have: from the memory that is there, and what a token takes.

The budget belongs to the machine: it is kept with the run state and used again on resume, so that a
run that was killed is cut as it was before, but it is no part of what tells two runs apart.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from peft import PeftModel

from finetune.errors import ModelError
from finetune.files import read_json, write_json
from finetune.memory import GB, available_on
from finetune.modeling import footprint
from finetune.modeling.footprint import Footprint
from finetune.schema import Run
from finetune.training.examples import Example, learned_rate

log = logging.getLogger(__name__)

# Budgets are powers of two up to a cap, so that two runs on one machine are cut alike although a
# little more or less memory is free. The GPU's cap was not run on one.
CAP = {"cpu": 2048, "cuda": 16384}
SMALLEST = 128
# Of the free memory; the rest is for what no tensor shows: allocators, operators' own buffers.
USABLE = 0.85
# Bytes of memory for a byte of tensors. A heap is left with holes by tensors that are freed between
# those that are kept for the backward pass: with glibc 2.36, SmolLM2-135M took 1.8 to 2.0 times the
# bytes of its tensors at 512 to 2,048 tokens. On a GPU torch's allocator counts in `USABLE`.
HELD = {"cpu": 2.0, "cuda": 1.0}
# Of a trained parameter: its gradient and Adam's two moments, float32 all.
OPTIMIZER_BYTES = 12

Wanted = int | Literal["auto"]


@dataclass(frozen=True)
class Budget:
    """Tokens of a micro-batch, padding included, and whether activations are computed twice."""

    tokens: int
    gradient_checkpointing: bool = False


def planned(options: Run, model: PeftModel, examples: Sequence[Example]) -> Budget:
    """The budget for a run over these examples, on the machine as it is now.

    Raises:
        ModelError: see `fitting`.
    """
    device = model.device.type
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    rate = learned_rate(examples)
    return fitting(
        options.token_budget,
        longest=max(len(example["input_ids"]) for example in examples),
        free=available_on(device, options.memory_gb) - OPTIMIZER_BYTES * trainable,
        device=device,
        measure=lambda checkpointing: footprint.measure(model, rate, checkpointing),
    )


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
        found = measure(checkpointing).times(HELD[device])
        tokens = found.fit(usable)
        if tokens >= needed:
            cap = min(tokens, CAP[device])
            chosen = 2 ** max(0, cap.bit_length() - 1) if wanted == "auto" else wanted
            return Budget(chosen, checkpointing)
    takes = found.of(needed) / USABLE / GB
    what = (
        f"the longest row ({longest} tokens)"
        if wanted == "auto" or tokens < longest
        else f"run.token_budget={wanted}"
    )
    smaller = "prompt.max_tokens" if what.startswith("the") else "run.token_budget"
    raise ModelError(
        f"{what} takes {takes:.1f} GB to train on, gradient checkpointing included; "
        f"{free / GB:.1f} are free: set {smaller} to {max(0, tokens)} or less, "
        "or use a machine with more memory"
    )


def settled(
    run_state: Path, wanted: Wanted, find: Callable[[], Budget], was_too_large: bool
) -> Budget:
    """The budget that a run keeps to: the one of the run state, or else what `find` gives.

    Half of it, where that was too large for the memory. Where it differs from the run state's, the
    resumed run equals the uninterrupted one up to rounding only, which is said.
    """
    file = run_state / "budget.json"
    kept = Budget(**read_json(file)) if file.is_file() else None
    if kept and wanted in ("auto", kept.tokens) and not was_too_large:
        return kept
    budget = _smaller(kept) if kept and wanted == "auto" else find()
    if kept and kept != budget:
        checkpointing = " and gradient checkpointing" if budget.gradient_checkpointing else ""
        log.warning(
            f"resumes with {budget.tokens} tokens a micro-batch{checkpointing} where it began with "
            f"{kept.tokens}: equal to an uninterrupted run up to rounding"
        )
    write_json(file, asdict(budget))
    return budget


def _smaller(budget: Budget) -> Budget:
    """Half the tokens; where few are left, a single row is what does not fit."""
    tokens = max(SMALLEST, budget.tokens // 2)
    return Budget(tokens, budget.gradient_checkpointing or tokens == budget.tokens)


def shown(budget: Budget) -> dict[str, Any]:
    """The budget as `train.json` has it, under `run`."""
    return {
        "token_budget": budget.tokens,
        "gradient_checkpointing": budget.gradient_checkpointing,
    }
