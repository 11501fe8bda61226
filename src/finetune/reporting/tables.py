"""Tables of results out of metric files: for the report, the README and the terminal alike."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune.core.errors import UserError
from finetune.core.files import read_json

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
            if metrics.get("few_shot") and name == "base":
                found["few_shot"] = metrics["few_shot"]
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


def remarks(metrics: dict[str, Metrics], kind: str) -> list[str]:
    """Sentences to stand beneath a task's table: the gain, and what point estimates get."""
    said = [f"Gain of tuned over base, paired: {gains_line(metrics, kind)}."]
    estimates = metrics["tuned"].get("estimates")
    if estimates:
        others = ", ".join(
            f"{name} {found['mae']:.2f} ({found['difference']['mean']:+.2f} "
            f"{_ends(found['difference'])})"
            for name, found in estimates.items()
            if name != "median"
        )
        said.append(
            "MAE of point estimates from the same tuned distributions, and their difference to the "
            f"median's: median {estimates['median']['mae']:.2f}, {others}."
        )
    return said


def _contestants(metrics: dict[str, Metrics]) -> Iterator[tuple[str, Metrics]]:
    for name, scores in metrics.get("ladder", {}).items():
        is_bound = scores.get("protocol", {}).get("bound")
        yield f"{name} (bound)" if is_bound else name, scores
    models = ("base", "base model"), ("few_shot", "base, few-shot"), ("tuned", "**tuned**")
    for name, title in models:
        if name in metrics:
            yield title, metrics[name]


def _with_interval(scores: Metrics, metric: str) -> str:
    return f"{scores[metric]:.2f} {_ends(scores['interval'][metric])}"


def _ends(interval: dict[str, float]) -> str:
    return f"[{interval['low']:.2f}, {interval['high']:.2f}]"
