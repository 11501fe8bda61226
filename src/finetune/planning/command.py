"""`finetune plan`: prints the plan of a run before it is started."""

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from finetune.composition import compose
from finetune.core import params
from finetune.core.memory import GB
from finetune.core.schema import Params
from finetune.planning import machines, plan
from finetune.planning.machines import Machine
from finetune.planning.plan import Plan


def run(root: Path, overrides: Sequence[str], gpu: str | None) -> int:
    """Print the plan; 1 if a task does not fit."""
    return 0 if print_plan(root, overrides, gpu) else 1


def print_plan(root: Path, overrides: Sequence[str] = (), gpu: str | None = None) -> bool:
    """Print what `dvc exp run` with these overrides takes; True if every task fits into memory.

    Raises:
        UserError: the overrides do not compose, or model or data are unavailable.
    """
    settings = params.validate_text(compose(root, list(overrides)), "conf")
    machine = machines.of(gpu, settings.run.memory_gb).split(settings.run.processes)
    print(f"{settings.model.name} on {machine.name}")
    taken = {name: task.train.adapter_of for name, task in settings.tasks.items()}
    plans = [plan.of(settings, task, machine) for task in settings.tasks if not taken[task]]
    for task, other in taken.items():
        if other:
            print(f"\n{task}: takes the adapter of {other}, without training")
    for each in plans:
        print("\n" + _formatted(each, settings, machine))
    seconds = sum(each.seconds for each in plans)
    estimated = " (rows and lengths partly estimated)" if any(p.rows.remark for p in plans) else ""
    print(f"\nTotal training time: {_time(seconds)}{_cost(seconds, settings)}{estimated}.")
    print(f"Assumed: a speed of {machine.assumption}. Prediction and evaluation are not included.")
    if settings.run.processes > 1 and settings.run.usd_per_hour is not None:
        print("run.usd_per_hour is taken for the price of all GPUs together.")
    return all(each.budget for each in plans)


def _formatted(task_plan: Plan, settings: Params, machine: Machine) -> str:
    rows = task_plan.rows
    batch_size = settings.tasks[task_plan.task].train.batch_size
    lines = [
        f"{task_plan.task}: {rows.rows:,} rows, {task_plan.steps:,} optimizer steps of "
        f"{batch_size} rows, {task_plan.tokens:,} tokens in total, at most {rows.longest:,} per row"
    ]
    if rows.branches:
        lines.append(f"  {rows.branches} of each row's tokens are branches of its loss")
    of_each = " (of each process)" if settings.run.processes > 1 else ""
    if rows.remark:
        lines.append(f"  estimated: {rows.remark}")
    labels = {
        "weights": f"weights ({settings.method.label})",
        "adapter": f"adapter ({task_plan.trainable:,} parameters)",
    }
    sizes = {**task_plan.parts, "peak": task_plan.peak}
    table = [[labels.get(name, name), size / GB] for name, size in sizes.items()]
    text = tabulate(table, ["", f"GB{of_each}"], floatfmt=".2f")
    lines += [f"  {line}" for line in text.splitlines()]
    free = machine.free / GB
    if task_plan.budget is None:
        lines.append(f"  does not fit into {free:.1f} GB{of_each}: use {task_plan.advice}")
    else:
        checkpointing = task_plan.budget.gradient_checkpointing
        suffix = ", with gradient checkpointing" if checkpointing else ""
        tokens = max(task_plan.budget.tokens, rows.longest)
        lines.append(
            f"  fits into {free:.1f} GB{of_each}: micro-batches of at most {tokens:,} tokens"
            f"{suffix}"
        )
    lines.append(f"  about {_time(task_plan.seconds)}{_cost(task_plan.seconds, settings)}")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return f"{max(1, round(seconds))} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _cost(seconds: float, settings: Params) -> str:
    if settings.run.usd_per_hour is None:
        return ""
    return f", {seconds / 3600 * settings.run.usd_per_hour:.2f} USD"
