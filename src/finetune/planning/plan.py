"""The plan of a run: memory by part, optimizer steps, tokens and time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch

from finetune.core.errors import ModelError
from finetune.core.memory import GB
from finetune.core.schema import Params
from finetune.methods import registry
from finetune.modeling import fused_lora, precision
from finetune.planning import lengths, skeleton
from finetune.planning.lengths import Lengths
from finetune.planning.machines import LIBRARIES_GB, Machine
from finetune.planning.skeleton import Skeleton
from finetune.training.budget import HEAP_OVERHEAD, OPTIMIZER_BYTES, Budget, choose
from finetune.training.trainer import num_steps_and_rows

# Floating-point operations per trained token and parameter: 2 for the forward pass and 2 for the
# gradient of activations; with gradient checkpointing 2 more for the second forward pass. Where all
# weights are trained, 2 for their gradient: an adapter's are few.
FLOP, FLOP_CHECKPOINTING, FLOP_WEIGHTS = 4, 6, 2


@dataclass(frozen=True)
class Plan:
    """Cost of training one task: `parts` are bytes by component, `seconds` exclude prediction.

    Of several processes (`run.processes`) bytes and budget are those of each.

    `budget` is None if the run does not fit into memory; `advice` then names a change that would.
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
        """Peak memory in bytes, the sum of all parts."""
        return sum(self.parts.values())


def of(params: Params, task: str, machine: Machine) -> Plan:
    """The plan of a task on a machine, as each of the run's processes has it (`Machine.split`).

    Raises:
        UserError: the shapes of the model are not known, or the data cannot be used.
    """
    plan = _planned(params, task, machine)
    if plan.budget is not None:
        return plan
    for change, changed in _smaller(params, task):
        other = _planned(changed, task, machine)
        if other.budget is not None:
            return replace(plan, advice=f"{change}, which takes {other.peak / GB:.1f} GB")
    return replace(plan, advice="a smaller model, or a machine with more memory")


def _smaller(params: Params, task: str) -> list[tuple[str, Params]]:
    """Overrides that save memory with the parameters they give, the mildest first."""
    options = params.tasks[task]
    changes = []
    for tokens in (512, 256, 128):
        if tokens < options.prompt.max_tokens:
            prompt = options.prompt.model_copy(update={"max_tokens": tokens})
            tasks = {**params.tasks, task: options.model_copy(update={"prompt": prompt})}
            key = f"-S tasks.{task}.prompt.max_tokens={tokens}"
            changes.append((key, params.model_copy(update={"tasks": tasks})))
    if not params.method.is_quantized:
        update = {"quantization": "nf4", "double_quantization": True}
        method = params.method.model_copy(
            update={**update, "tuner": "lora", "virtual_tokens": None}
        )
        changes.insert(0, ("-S method=qlora", params.model_copy(update={"method": method})))
    return changes


def _planned(params: Params, task: str, machine: Machine) -> Plan:
    rows = lengths.of(params, task)
    shapes = skeleton.config(params.model)
    dtype = _dtype(params, machine)

    @cache
    def built(checkpointing: bool) -> Skeleton:
        return skeleton.build(shapes, params.method, params.lora, dtype, rows, checkpointing)

    fixed = _fixed(built(False), machine)
    budget = _budget(params, rows, machine, built, sum(fixed.values()))
    can_checkpoint = registry.of(params.method).CAN_CHECKPOINT
    chosen = budget or Budget(rows.longest, gradient_checkpointing=can_checkpoint)
    model = built(chosen.gradient_checkpointing)
    # The budget is the most that a micro-batch may have: a short step fills no more than it has, of
    # which each process has its part.
    options = params.tasks[task].train
    rows_of_step = -(-options.batch_size // params.run.processes)
    steps, drawn = num_steps_and_rows(options, rows.rows)
    mean = rows.tokens / rows.rows
    tokens = min(max(chosen.tokens, rows.longest), rows_of_step * rows.longest)
    overhead = HEAP_OVERHEAD[machine.device]
    activations = model.activations.scaled(overhead).bytes_for(tokens)
    parts = {
        **fixed,
        "activations": activations,
        "logits": max(0, model.step.scaled(overhead).bytes_for(tokens) - activations),
    }
    flop = FLOP_CHECKPOINTING if chosen.gradient_checkpointing else FLOP
    flop += 0 if model.adapter else FLOP_WEIGHTS
    trained_tokens = round(drawn * mean)
    return Plan(
        task=task,
        rows=rows,
        steps=steps,
        tokens=trained_tokens,
        budget=budget,
        parts=parts,
        seconds=flop * model.matmul_parameters * trained_tokens / machine.flops,
        trainable=model.trainable,
        advice="",
    )


def _fixed(model: Skeleton, machine: Machine) -> dict[str, int]:
    """Bytes by component independent of the micro-batch; a GPU's free memory excludes libraries."""
    is_held = fused_lora.fits_dequantized(model.dequantized, machine.free - model.weights)
    parts = {
        "weights": model.weights,
        "quantization constants": model.quantization,
        "dequantized weights": model.dequantized if is_held else 0,
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
    fixed: int,
) -> Budget | None:
    try:
        return choose(
            params.run.token_budget,
            rows.longest,
            machine.free - fixed,
            machine.device,
            lambda checkpointing: built(checkpointing).step,
            registry.of(params.method).CAN_CHECKPOINT,
        )
    except ModelError:
        return None


def _dtype(params: Params, machine: Machine) -> torch.dtype:
    """The compute dtype on the planned machine, which need not be this one."""
    if params.method.compute_dtype != "auto":
        return getattr(torch, params.method.compute_dtype)
    if machine.device == "cpu":
        return torch.float32
    return torch.bfloat16 if precision.device() == "cpu" else precision.compute_dtype(params.method)
