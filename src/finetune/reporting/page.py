"""The report: a Markdown page with what everything scores, how it was trained, what went in."""

from pathlib import Path

from tabulate import tabulate

from finetune.reporting import tables
from finetune.reporting.tables import Metrics


def page(folder: Path, kinds: dict[str, str], confidence: float) -> str:
    """The page over all tasks; `kinds` maps each to its kind, `folder` holds the metric files.

    `confidence` is that of the intervals in these files, from 0 to 1.
    """
    parts = [
        "# Report",
        f"Scores on the test rows, each with its {100 * confidence:g} % bootstrap interval over "
        "rows. ROUGE is in points (0–100), higher is better; MAE is the mean absolute error in "
        "USD, lower is better; a hit is a price within the bounds of `score` in the task's config.",
    ]
    for task, kind in kinds.items():
        parts += _task(task, kind, tables.read(folder, task))
    return "\n\n".join(parts) + "\n"


def _task(task: str, kind: str, metrics: dict[str, Metrics]) -> list[str]:
    return [
        f"## {task}",
        tables.results(metrics, kind),
        f"Gain of tuned over base, paired over the same rows: {tables.gains_line(metrics, kind)}.",
        "### What went wrong, counted",
        _flags(metrics),
        "### Training",
        _training(metrics["train"]),
        "### Data",
        _data(metrics["data"]),
    ]


def _flags(metrics: dict[str, Metrics]) -> str:
    """Counts of rows in the metrics of the two models: every whole number but that of all rows."""
    models = metrics["base"], metrics["tuned"]
    names = dict.fromkeys(
        n for m in models for n, v in m.items() if isinstance(v, int) and n != "n"
    )
    rows = [[name.replace("_", " "), *(m.get(name, "") for m in models)] for name in names]
    return tabulate(rows, headers=["rows with", "base model", "tuned"], tablefmt="github")


def _training(train: Metrics) -> str:
    shown = {name: value for name, value in train.items() if name != "run"} | train["run"]
    rows = [[name.replace("_", " "), value] for name, value in shown.items()]
    return tabulate(rows, headers=["", ""], tablefmt="github", disable_numparse=True)


def _data(data: Metrics) -> str:
    names = list(dict.fromkeys(name for counts in data.values() for name in counts))
    rows = [
        [name.replace("_", " "), *(counts.get(name, "") for counts in data.values())]
        for name in names
    ]
    return tabulate(rows, headers=["rows", *data], tablefmt="github")
