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
    """Print what `dvc exp run` with these overrides would take; whether all of it fits.

    Raises:
        UserError: the overrides do not compose, or the model or data are not to be had.
    """
    known = params.validate_text(compose(root, list(overrides)), "conf")
    machine = machines.of(gpu, known.run.memory_gb)
    print(f"{known.model.name} on {machine.name}")
    plans = [plan.of(known, task, machine) for task in known.tasks]
    for each in plans:
        print("\n" + _shown(each, known, machine))
    seconds = sum(each.seconds for each in plans)
    guessed = " (rows and lengths partly estimated)" if any(p.rows.remark for p in plans) else ""
    print(f"\nTraining in all: {_time(seconds)}{_cost(seconds, known)}{guessed}.")
    print(f"Assumed: a speed of {machine.assumption}. Predicting comes on top, and the rest.")
    return all(each.budget for each in plans)


def _shown(found: Plan, known: Params, machine: Machine) -> str:
    rows = found.rows
    lines = [
        f"{found.task}: {rows.rows:,} rows, {found.steps:,} optimizer steps of "
        f"{known.train.batch_size} rows, {found.tokens:,} tokens in all, {rows.longest:,} at most "
        "in a row"
    ]
    if rows.remark:
        lines.append(f"  estimated: {rows.remark}")
    sizes = [[name, size / GB] for name, size in found.parts.items()]
    sizes.append(["peak", found.peak / GB])
    labels = {"weights": f"weights ({_precision(known)})"}
    labels["adapter"] = f"adapter ({found.trainable:,} parameters)"
    table = [[labels.get(name, name), size] for name, size in sizes]
    lines += [f"  {line}" for line in tabulate(table, ["", "GB"], floatfmt=".2f").splitlines()]
    free = machine.free / GB
    if found.budget is None:
        lines.append(f"  does not fit into {free:.1f} GB: use {found.advice}")
    else:
        checkpointing = found.budget.gradient_checkpointing
        more = ", with gradient checkpointing" if checkpointing else ""
        tokens = max(found.budget.tokens, rows.longest)
        lines.append(f"  fits into {free:.1f} GB: micro-batches of at most {tokens:,} tokens{more}")
    lines.append(f"  about {_time(found.seconds)}{_cost(found.seconds, known)}")
    return "\n".join(lines)


def _precision(known: Params) -> str:
    return "4 bits" if known.method.quantization == "nf4" else "not quantized"


def _time(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return f"{max(1, round(seconds))} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _cost(seconds: float, known: Params) -> str:
    if known.run.usd_per_hour is None:
        return ""
    return f", {seconds / 3600 * known.run.usd_per_hour:.2f} USD"
