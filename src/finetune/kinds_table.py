"""What `finetune kinds` prints: of each kind of task its fields, metrics and baselines."""

from collections.abc import Iterator
from typing import Any

from tabulate import tabulate

from finetune.core.schema import RowFields
from finetune.scoring.baselines import Baseline
from finetune.scoring.metrics import Metric
from finetune.tasks import registry

Cells = tuple[str, str, str]


def table(kind: str) -> str:
    """A kind's name and what it predicts, and beneath it a row for all that belongs to it."""
    options, scores = registry.options(kind).Task, registry.scores(kind)
    rows = [
        *_fields(options.fields),
        *_metrics(scores.METRICS),
        *_baselines(registry.baselines(kind).BASELINES),
    ]
    return f"{kind}: {registry.report(kind).REPORT.description}\n" + tabulate(
        rows, tablefmt="plain", disable_numparse=True
    )


def _fields(fields: RowFields) -> Iterator[Cells]:
    required = sorted(fields.required, key=lambda name: (name != fields.input, name))
    for name in [*required, *sorted(fields.optional)]:
        remarks = ["required" if name in fields.required else "optional"]
        remarks += ["what the model reads"] if name in fields.read else []
        remarks += ["may be a list of columns"] if name in fields.several else []
        yield "  field", name, ", ".join(remarks)


def _metrics(metrics: tuple[Metric, ...]) -> Iterator[Cells]:
    for metric in metrics:
        remarks = [metric.heading if metric.title != metric.key else metric.unit]
        remarks += [f"as prompt.{metric.unit_param} says"] if metric.unit_param else []
        remarks += ["primary"] if metric is metrics[0] else []
        remarks += [metric.direction] if metric.higher_is_better is not None else []
        yield "  metric", metric.key, f"{', '.join(filter(None, remarks))}: {metric.meaning}"


def _baselines(baselines: tuple[Baseline[Any], ...]) -> Iterator[Cells]:
    for baseline in baselines:
        oracle = " (oracle: sees the reference)" if baseline.is_oracle else ""
        yield "  baseline", baseline.name, f"{baseline.description}{oracle}"
