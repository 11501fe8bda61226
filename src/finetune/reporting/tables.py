"""Tables of results out of metric files: for the report, the README and the terminal alike."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune.errors import UserError
from finetune.files import read_json

# Metric → what a person calls it, and its unit.
COLUMNS = {
    "summarization": {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"},
    "price": {"mae": "MAE (USD)", "hits": "hits (%)"},
}

Metrics = dict[str, Any]


def read_complete(folder: Path, task: str) -> dict[str, Metrics]:
    """The same as `read`, of a task that has run to its end.

    Raises:
        UserError: it has not.
    """
    metrics = read(folder, task)
    for name in ("base", "tuned"):
        if name not in metrics:
            raise UserError(f"{task}: {folder}/{task}/{name}.json is not there; run `dvc repro`")
    return metrics


def read(folder: Path, task: str) -> dict[str, Metrics]:
    """A task's metric files by name, without the nesting that DVC's columns need."""
    found = {}
    for name in ("data", "ladder", "base", "train", "tuned"):
        file = folder / task / f"{name}.json"
        if file.is_file():
            metrics = read_json(file)[task]
            found[name] = metrics if name == "tuned" else metrics[name]
    return found


def results(metrics: dict[str, Metrics], kind: str) -> str:
    """A Markdown table: a row for each rung and model, each score with its interval."""
    columns = COLUMNS[kind]
    rows = [
        [name, *(_with_interval(scores, metric) for metric in columns), scores["n"]]
        for name, scores in _contestants(metrics)
    ]
    return tabulate(rows, headers=["", *columns.values(), "rows"], tablefmt="github")


def gains_line(metrics: dict[str, Metrics], kind: str) -> str:
    """`ROUGE-1 +20.11 [18.70, 21.48], …`: the tuned model's paired gain over the base."""
    gain = metrics["tuned"]["gain"]
    return ", ".join(
        f"{title} {gain[metric]['mean']:+.2f} {_ends(gain[metric])}"
        for metric, title in COLUMNS[kind].items()
    )


def _contestants(metrics: dict[str, Metrics]) -> Iterator[tuple[str, Metrics]]:
    yield from metrics.get("ladder", {}).items()
    for name, title in (("base", "base model"), ("tuned", "**tuned**")):
        if name in metrics:
            yield title, metrics[name]


def _with_interval(scores: Metrics, metric: str) -> str:
    return f"{scores[metric]:.2f} {_ends(scores['interval'][metric])}"


def _ends(interval: dict[str, float]) -> str:
    return f"[{interval['low']:.2f}, {interval['high']:.2f}]"
