"""The token budget of a micro-batch: from the free memory and the memory that a token takes.

It belongs to the machine: it is saved with the run state and used again on resume, so that a
resumed run has the same micro-batches, but it is no part of the run's identity.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from finetune.core.errors import SCORING, ModelError, is_out_of_memory
from finetune.core.files import read_json, write_json
from finetune.core.memory import GB
from finetune.core.schema import Run
from finetune.methods import registry
from finetune.modeling import footprint, precision
from finetune.modeling.footprint import Footprint, Pass
from finetune.training.examples import Example, max_target_rate
from finetune.training.losses import CROSS_ENTROPY, Loss
from finetune.training.micro_batches import collate, summed_loss

log = logging.getLogger(__name__)

# Budgets are powers of two up to a maximum, so that two runs on one machine have the same
# micro-batches although free memory varies. The GPU's maximum was not tested on one.
MAX_TOKENS = {"cpu": 1024, "cuda": 16384}
MIN_TOKENS = 128
# Of the free memory; the rest is for allocators and for operators' internal buffers.
USABLE_FRACTION = 0.85
# Bytes of memory for a byte of tensors. The heap is fragmented by tensors that are freed between
# those that are kept for the backward pass: with glibc 2.36 whole runs of SmolLM2-135M took 2.2
# (SAMSum) and 2.6 times (prices) the bytes of its tensors. On a GPU `USABLE_FRACTION` covers it.
HEAP_OVERHEAD = {"cpu": 2.4, "cuda": 1.0}
# For each trainable parameter: its gradient and Adam's two moments, all float32.
OPTIMIZER_BYTES = 12

TokenBudget = int | Literal["auto"]


@dataclass(frozen=True)
class Budget:
    """Tokens of a micro-batch, padding included, and whether activations are checkpointed."""

    tokens: int
    gradient_checkpointing: bool = False


def estimate(
    options: Run,
    model: PreTrainedModel,
    dtype: torch.dtype,
    examples: Sequence[Example],
    free: int,
    can_checkpoint: bool = True,
    loss: Loss = CROSS_ENTROPY,
    longest: int | None = None,
) -> Budget:
    """The budget for training on these examples with `free` bytes of memory.

    `can_checkpoint`: see `choose`. `longest` are the tokens that an example may have, where these
    are a sample.

    Raises:
        ModelError: see `choose`.
    """
    device = model.device.type
    trainable = registry.trainable_parameters(model)
    footprints: dict[bool, Footprint] = {}

    def measure(checkpointing: bool) -> Footprint:
        footprints[checkpointing] = _footprint(model, dtype, examples, loss, checkpointing)
        return footprints[checkpointing]

    if longest is None:
        longest = max(len(example["input_ids"]) for example in examples)
    longest += len(loss.paths)
    budget = choose(
        options.token_budget,
        longest,
        free - OPTIMIZER_BYTES * trainable,
        device,
        measure,
        can_checkpoint,
    )
    step = footprints[budget.gradient_checkpointing].scaled(HEAP_OVERHEAD[device])
    peak = step.bytes_for(max(longest, budget.tokens)) + OPTIMIZER_BYTES * trainable
    log.info(
        f"micro-batches of {budget.tokens} tokens{_checkpointing(budget)}: about {peak / GB:.1f} "
        f"GB beside the model, {free / GB:.1f} GB are free"
    )
    return budget


def _footprint(
    model: PreTrainedModel,
    dtype: torch.dtype,
    examples: Sequence[Example],
    loss: Loss,
    checkpointing: bool,
) -> Footprint:
    if loss.paths:
        densest = max(examples, key=lambda example: max_target_rate([example], len(loss.paths)))
        passes = branch_passes(model, model.device.type, dtype, loss, densest)
        return footprint.fitted(model, *passes, checkpointing)
    with precision.autocast(model, dtype):
        return footprint.measure(model, max_target_rate(examples), checkpointing)


def branch_passes(
    model: PreTrainedModel, device: str, dtype: torch.dtype, loss: Loss, example: Example
) -> tuple[Pass, Pass]:
    """Passes of a loss with branches over one and two rows of an example, which are on a device.

    Each row has as many branches, however long it is: what a token takes shows in more rows, not
    in longer ones.
    """

    def of(rows: int) -> Pass:
        examples = [example] * rows
        batch = collate(examples, pad_id=0, paths=loss.paths)
        on_device = {name: tensor.to(device) for name, tensor in batch.items()}
        tokens = batch["input_ids"].numel()
        return Pass(tokens, lambda: summed_loss(model, dtype, loss, on_device, examples))

    return of(1), of(2)


def _checkpointing(budget: Budget) -> str:
    return " with gradient checkpointing" if budget.gradient_checkpointing else ""


def choose(
    requested: TokenBudget,
    longest: int,
    free: int,
    device: str,
    measure: Callable[[bool], Footprint],
    can_checkpoint: bool = True,
) -> Budget:
    """The budget for `free` bytes of memory; with gradient checkpointing only where it is needed.

    Args:
        requested: tokens of a micro-batch, or `auto` for the largest power of two that fits.
        longest: tokens of the longest row, which must fit.
        free: bytes, beside the model and the optimizer.
        device: `cpu` or `cuda`.
        measure: the footprint of a step, without or with gradient checkpointing.
        can_checkpoint: whether the tuner goes with gradient checkpointing.

    Raises:
        ModelError: the longest row, or what was requested, does not fit even with checkpointing.
    """
    usable = round(USABLE_FRACTION * free)
    needed = longest if requested == "auto" else max(longest, requested)
    for checkpointing in (False, True) if can_checkpoint else (False,):
        step = measure(checkpointing).scaled(HEAP_OVERHEAD[device])
        tokens = step.max_tokens(usable)
        if tokens >= needed:
            cap = min(tokens, MAX_TOKENS[device])
            chosen = 2 ** max(0, cap.bit_length() - 1) if requested == "auto" else requested
            return Budget(chosen, checkpointing)
    needed_gb = step.bytes_for(needed) / USABLE_FRACTION / GB
    checkpointed = "included" if can_checkpoint else "not possible with this method"
    takes = f"{needed_gb:.1f} GB to train on, gradient checkpointing {checkpointed}"
    available = f"{max(0.0, free / GB):.1f} GB are free beside gradients and optimizer"
    if requested != "auto" and tokens >= longest:
        raise ModelError(
            f"run.token_budget: {requested} tokens take {takes}; {available}: "
            f"set it to {tokens} or less"
        )
    remedy = "take a smaller model, or a machine with more memory"
    if tokens >= MIN_TOKENS:
        remedy = (
            "in the task's config lower prompt.max_tokens, so that a prompt with its completion "
            f"has {tokens} tokens or less, or {remedy}"
        )
    raise ModelError(
        f"the longest row has {longest} tokens, which take {takes}; {available}: {remedy}"
    )


def resolve(
    run_state: Path,
    requested: TokenBudget,
    estimate_now: Callable[[], Budget],
    ran_out_of_memory: bool,
    can_checkpoint: bool = True,
) -> Budget:
    """The budget of a run; on resume the one saved in its run state, if that still fits.

    It is halved if the interrupted run `ran_out_of_memory`. Where it differs from the saved one, a
    warning says that the resumed run equals an uninterrupted one only up to rounding.
    """
    saved = _load(run_state)
    budget = estimate_now()
    if saved and requested == "auto":
        budget = halved(saved, can_checkpoint) if ran_out_of_memory else _smaller(saved, budget)
    if saved and saved != budget:
        log.warning(
            f"resumes with {budget.tokens} tokens a micro-batch{_checkpointing(budget)} where it "
            f"began with {saved.tokens}: equal to an uninterrupted run up to rounding"
        )
    save(run_state, budget)
    return budget


def _load(run_state: Path) -> Budget | None:
    file = run_state / "budget.json"
    return Budget(**read_json(file)) if file.is_file() else None


def save(run_state: Path, budget: Budget) -> None:
    """Write a budget to the run state, for the run that resumes from it."""
    write_json(run_state / "budget.json", asdict(budget))


def _smaller(one: Budget, other: Budget) -> Budget:
    """The budget that takes less memory."""
    return min(one, other, key=lambda b: (not b.gradient_checkpointing, b.tokens))


@contextlib.contextmanager
def halve_on_out_of_memory(
    run_state: Path, requested: TokenBudget, budget: Budget, can_checkpoint: bool = True
) -> Iterator[None]:
    """If the block runs out of memory, save half the budget for the run that resumes it.

    Not of a budget that was `requested`, nor where rows were scored, which has budgets of its own.
    """
    try:
        yield
    except RuntimeError as error:
        is_scoring = SCORING in getattr(error, "__notes__", ())
        if requested == "auto" and is_out_of_memory(error) and not is_scoring:
            half = halved(budget, can_checkpoint)
            save(run_state, half)
            log.warning(f"the same command resumes with {half.tokens} tokens a micro-batch")
        raise


def halved(budget: Budget, can_checkpoint: bool = True) -> Budget:
    """Half the tokens, at least `MIN_TOKENS`; at these, with gradient checkpointing if it can be.

    Then a single row did not fit, whatever the budget.
    """
    tokens = max(MIN_TOKENS, budget.tokens // 2)
    is_least = tokens == budget.tokens
    return Budget(tokens, budget.gradient_checkpointing or (is_least and can_checkpoint))


def as_metrics(budget: Budget) -> dict[str, Any]:
    """The budget as `train.json` has it, under `run`."""
    return {
        "token_budget": budget.tokens,
        "gradient_checkpointing": budget.gradient_checkpointing,
    }
