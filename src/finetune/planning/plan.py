"""The plan of a run: what it takes of memory, steps, tokens, time and money, part by part."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch

from finetune.core.errors import ModelError
from finetune.core.memory import GB
from finetune.core.schema import Params
from finetune.modeling import precision
from finetune.planning import lengths, skeleton
from finetune.planning.lengths import Lengths
from finetune.planning.machines import LIBRARIES_GB, Machine
from finetune.planning.skeleton import Skeleton
from finetune.training.budget import HEAP_OVERHEAD, OPTIMIZER_BYTES, Budget, fitting
from finetune.training.trainer import length

# Floating-point operations of a trained token for each parameter that it is multiplied with: the
# forward pass and the gradient of activations (the base's own weights have none); with gradient
# checkpointing the forward pass once more.
FLOP, FLOP_CHECKPOINTING = 4, 6


@dataclass(frozen=True)
class Plan:
    """What training one task takes. Memory in bytes, `seconds` of training alone.

    `budget` is None where the run does not fit; `advice` then names what would.
    """

    task: str
    rows: Lengths
    steps: int
    tokens: int
    budget: Budget | None
    parts: dict[str, int]
    seconds: float
    trainable: int
    advice: str

    @property
    def peak(self) -> int:
        """Bytes at the peak: all parts together."""
        return sum(self.parts.values())


def of(params: Params, task: str, machine: Machine) -> Plan:
    """The plan of a task on a machine.

    Raises:
        UserError: the shapes of the model are not known, or the data cannot be used.
    """
    found = _fitted(params, task, machine)
    if found.budget is not None:
        return found
    for change, changed in _smaller(params, task):
        other = _fitted(changed, task, machine)
        if other.budget is not None:
            return replace(found, advice=f"{change}, which takes {other.peak / GB:.1f} GB")
    return replace(found, advice="a smaller model, or a machine with more memory")


def _smaller(params: Params, task: str) -> list[tuple[str, Params]]:
    """Changes that save memory, the one that changes least first."""
    options = params.tasks[task]
    changes = []
    for tokens in (512, 256, 128):
        if tokens < options.prompt.max_tokens:
            prompt = options.prompt.model_copy(update={"max_tokens": tokens})
            tasks = {**params.tasks, task: options.model_copy(update={"prompt": prompt})}
            key = f"-S tasks.{task}.prompt.max_tokens={tokens}"
            changes.append((key, params.model_copy(update={"tasks": tasks})))
    if params.method.quantization == "none":
        update = {"quantization": "nf4", "double_quantization": True}
        method = params.method.model_copy(update=update)
        changes.insert(0, ("-S method=qlora", params.model_copy(update={"method": method})))
    return changes


def _fitted(params: Params, task: str, machine: Machine) -> Plan:
    rows = lengths.of(params, task)
    shapes = skeleton.config(params.model)
    dtype = _dtype(params, machine)

    @cache
    def built(checkpointing: bool) -> Skeleton:
        return skeleton.build(
            shapes, params.method, params.lora, dtype, rows.learned_rate, checkpointing
        )

    held = _held(built(False), machine)
    budget = _budget(params, rows, machine, built, sum(held.values()))
    chosen = budget or Budget(rows.longest, gradient_checkpointing=True)
    model = built(chosen.gradient_checkpointing)
    # The budget is the most that a micro-batch may have: a short step fills no more than it has.
    steps, drawn = length(params.train, rows.rows)
    mean = rows.tokens / rows.rows
    tokens = min(max(chosen.tokens, rows.longest), round(params.train.batch_size * rows.longest))
    overhead = HEAP_OVERHEAD[machine.device]
    activations = model.activations.times(overhead).of(tokens)
    parts = {
        **held,
        "activations": activations,
        "logits": max(0, model.step.times(overhead).of(tokens) - activations),
    }
    flop = FLOP_CHECKPOINTING if chosen.gradient_checkpointing else FLOP
    learned = round(drawn * mean)
    return Plan(
        task,
        rows,
        steps,
        learned,
        budget,
        parts,
        flop * model.multiplied * learned / machine.flops,
        model.trainable,
        "",
    )


def _held(model: Skeleton, machine: Machine) -> dict[str, int]:
    """What is held in memory whatever the micro-batch; a GPU's libraries count as taken already."""
    parts = {
        "weights": model.weights,
        "quantization constants": model.quantization,
        "adapter": model.adapter,
        "gradients and optimizer": OPTIMIZER_BYTES * model.trainable,
    }
    if machine.device == "cpu":
        parts["libraries"] = round(LIBRARIES_GB * GB)
    return {name: size for name, size in parts.items() if size}


def _budget(
    params: Params,
    rows: Lengths,
    machine: Machine,
    built: Callable[[bool], Skeleton],
    held: int,
) -> Budget | None:
    try:
        return fitting(
            params.run.token_budget,
            rows.longest,
            machine.free - held,
            machine.device,
            lambda checkpointing: built(checkpointing).step,
        )
    except ModelError:
        return None


def _dtype(params: Params, machine: Machine) -> torch.dtype:
    """What the machine would compute in, which need not be the one that plans."""
    if params.method.compute_dtype != "auto":
        return getattr(torch, params.method.compute_dtype)
    if machine.device == "cpu":
        return torch.float32
    return torch.bfloat16 if precision.device() == "cpu" else precision.compute_dtype(params.method)
