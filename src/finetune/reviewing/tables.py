"""The metrics of two runs, side by side."""

from collections.abc import Iterator, Mapping
from typing import Any

from tabulate import tabulate

from finetune.comparing.comparability import lacking
from finetune.comparing.runs import Run
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric, in_units
from finetune.tasks import registry


def metrics(before: Run, after: Run, style: str) -> str:
    """The scores that the README shows, of both splits, with their plain difference."""
    rows = []
    for task in after.kinds:
        if task in lacking(after, before):
            continue
        sides = [_tuned(run, task) for run in (before, after)]
        for metric in _metrics(after, task):
            for split, of in (("validation", "validation"), ("test", "")):
                values = [_value(side.get(of, {}) if of else side, metric) for side in sides]
                if any(value is not None for value in values):
                    rows.append([task, metric.heading, split, *_cells(values, metric)])
    headers = ["task", "score", "rows", before.name, after.name, "change"]
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True)


def _metrics(run: Run, task: str) -> Iterator[Metric]:
    declared = registry.scores(run.kinds[task]).METRICS
    in_task = in_units(declared, lambda key: run.params.get(f"tasks.{task}.prompt.{key}"))
    return (metric for metric in in_task if metric.in_readme)


def _tuned(run: Run, task: str) -> Mapping[str, Any]:
    """The scores of the tuned model as its metric file has them; empty where there is none."""
    path = paths.metrics(task, "tuned").as_posix()
    try:
        text = run.text(path)
    except UserError:
        return {}
    found: Mapping[str, Any] = parse_json(text, f"{run.name}: {path}").get(task, {})
    return found


def _value(scores: Mapping[str, Any], metric: Metric) -> float | None:
    value = scores.get(metric.key)
    return float(value) if isinstance(value, int | float) else None


def _cells(values: list[float | None], metric: Metric) -> list[str]:
    before, after = values
    change = ""
    if before is not None and after is not None:
        change = numbers.signed(after - before, metric.decimals)
    return [metric.number(before), metric.number(after), change]
