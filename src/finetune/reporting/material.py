"""All that the report says of a task, from what the pipeline wrote; any of it may be missing."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.core import paths
from finetune.core.files import read_json, read_jsonl, read_tsv, sha256
from finetune.reporting import tables
from finetune.reporting.tables import Metrics

Row = dict[str, Any]
Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class Material:
    """A task's files: `predictions` by model or rung, `rows` by split, `curves` by name."""

    task: str
    kind: str
    metrics: dict[str, Metrics] = field(default_factory=dict)
    groups: list[Row] = field(default_factory=list)
    curves: dict[str, Curve] = field(default_factory=dict)
    predictions: dict[str, list[Row]] = field(default_factory=dict)
    rungs: dict[str, list[Row]] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    adapter_sha256: str | None = None


def read(task: str, kind: str) -> Material:
    """A task's material, from the folders of the pipeline under the current one."""
    ladder = paths.ladder(task)
    source = paths.raw(task) / "source.json"
    adapter = paths.adapter(task) / "adapter_model.safetensors"
    return Material(
        task,
        kind,
        metrics=tables.read(Path("metrics"), task),
        groups=_groups(paths.groups(task)),
        curves={file.stem: _curve(file) for file in sorted(paths.curves(task).glob("*.tsv"))},
        predictions={
            name: _rows(paths.predictions(task, name)) for name in ("base", "few_shot", "tuned")
        },
        rungs={file.stem: _rows(file) for file in sorted(ladder.glob("*.jsonl"))},
        rows={split: _rows(paths.prepared(task) / f"{split}.jsonl") for split in paths.SPLITS},
        source=read_json(source) if source.is_file() else {},
        adapter_sha256=sha256(adapter) if adapter.is_file() else None,
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
