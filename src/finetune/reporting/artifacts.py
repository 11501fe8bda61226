"""All that the report shows of a task, from what the pipeline wrote; any of it may be missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.core import paths
from finetune.core.files import read_json, read_jsonl, read_tsv, sha256
from finetune.reporting import tables
from finetune.reporting.parts import KindReport
from finetune.reporting.tables import Metrics
from finetune.scoring.baselines import Baseline
from finetune.scoring.metrics import Flag, Grouping, Metric

Row = dict[str, Any]
Curve = list[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind's own declarations, of its `scores.py`, `baselines.py` and `report.py`."""

    metrics: Sequence[Metric]
    flags: Sequence[Flag]
    groupings: Sequence[Grouping]
    baselines: Sequence[Baseline[Any]]
    report: KindReport


@dataclass(frozen=True, kw_only=True)
class TaskArtifacts:
    """What the pipeline wrote for a task.

    `metrics` are its metric files by name, `predictions` scored rows by model, `baselines` scored
    rows by baseline, `rows` the prepared ones by split, `curves` those of training by name,
    `data_card` what the rows are like.
    """

    task: str
    kind: Kind
    metrics: dict[str, Metrics] = field(default_factory=dict)
    groups: list[Row] = field(default_factory=list)
    curves: dict[str, Curve] = field(default_factory=dict)
    predictions: dict[str, list[Row]] = field(default_factory=dict)
    baselines: dict[str, list[Row]] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    data_card: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str | None = None

    @property
    def primary(self) -> Metric:
        """The metric that the task is judged by."""
        return self.kind.metrics[0]

    def metric(self, key: str) -> Metric:
        """The kind's metric of that key; another key is a metric without a title of its own."""
        unknown = Metric(key=key, columns=(), title=key.replace("_", " "), higher_is_better=None)
        return next((metric for metric in self.kind.metrics if metric.key == key), unknown)


def read(task: str, kind: Kind) -> TaskArtifacts:
    """A task's artifacts, from the folders of the pipeline under the current one."""
    source = paths.raw(task) / "source.json"
    card = paths.data_card(task)
    weights = paths.trained_weights(task)
    baselines = sorted(paths.baselines(task).glob("*.jsonl"))
    return TaskArtifacts(
        task=task,
        kind=kind,
        metrics=tables.read(Path("metrics"), task),
        groups=_groups(paths.groups(task)),
        curves={file.stem: _curve(file) for file in sorted(paths.curves(task).glob("*.tsv"))},
        predictions={
            name: _rows(paths.scored(task, name)) for name in ("base", "few_shot", "tuned")
        },
        baselines={file.stem: _rows(file) for file in baselines},
        rows={split: _rows(paths.prepared(task) / f"{split}.jsonl") for split in paths.SPLITS},
        source=read_json(source) if source.is_file() else {},
        data_card=read_json(card) if card.is_file() else {},
        weights_sha256=sha256(weights) if weights else None,
    )


def _rows(file: Path) -> list[Row]:
    return read_jsonl(file) if file.is_file() else []


def _groups(file: Path) -> list[Row]:
    """Rows of groups.tsv, what is a number as a number; an empty cell is None."""
    texts = ("by", "group", "model")
    return [
        {name: value if name in texts else _number(value) for name, value in line.items()}
        for line in (read_tsv(file) if file.is_file() else [])
    ]


def _curve(file: Path) -> Curve:
    return [(int(line["step"]), float(line[file.stem])) for line in read_tsv(file)]


def _number(text: str | None) -> float | None:
    return float(text) if text else None
