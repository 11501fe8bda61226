"""What is known of the forms of a task's tuned model: `metrics/TASK/forms.json`.

In Git, by form: exports, and what was served or tuned elsewhere. Each is measured like the adapter
on all test rows, and names it by its hash. No stage writes or reads the file: it is of whatever
adapter was there when a form was measured, and `stale` says if that is another one by now. An entry
of another adapter, or of another number of rows, is dropped when a form is added. An export's
folder has a file of the same shape.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune.core import paths
from finetune.core.errors import DataError
from finetune.core.files import read_json, write_json
from finetune.forms import entries
from finetune.forms.entries import Entry
from finetune.reporting import tables
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric

ADAPTER = "tuned"
FILE = "export.json"


def path(task: str) -> Path:
    """The file of a task's forms."""
    return paths.metrics(task, "forms")


def read(root: Path, task: str) -> dict[str, Entry]:
    """The recorded forms of a task by name; none where there is no file.

    Raises:
        DataError: the file is not of this shape.
    """
    file = root / path(task)
    if not file.is_file():
        return {}
    try:
        return dict(read_json(file)[task]["forms"])
    except (KeyError, TypeError):
        raise DataError(
            f"{file}: holds no forms of {task}; remove it and measure them again"
        ) from None


def add(root: Path, task: str, new: Mapping[str, Entry]) -> dict[str, Entry]:
    """Write the entries into the task's file, and give all that it then holds.

    What is there of another adapter, or of another number of rows, is dropped.
    """
    alike = [(each["adapter_hash"], each["n"]) for each in new.values()]
    kept = {
        name: each
        for name, each in read(root, task).items()
        if (each.get("adapter_hash"), each.get("n")) in alike
    }
    forms = {**kept, **new}
    write_json(root / path(task), as_metrics(task, forms))
    return forms


def as_metrics(task: str, forms: Mapping[str, Entry]) -> dict[str, Any]:
    """Entries as a metric file has them."""
    return {task: {"forms": dict(forms)}}


def stale(root: Path, task: str) -> str:
    """A line if a recorded form is of another adapter than the task's metrics; else empty."""
    trained = entries.trained_hash(root, task)
    others = {
        name: each.get("adapter_hash")
        for name, each in read(root, task).items()
        if each.get("adapter_hash") != trained
    }
    if not others:
        return ""
    named = ", ".join(f"{name} ({of_adapter})" for name, of_adapter in others.items())
    return (
        f"{path(task)}: {named}: of another adapter than the metrics of {task} ({trained}); "
        "measure the forms again (docs/export.md), or remove the file"
    )


def table(
    metrics: Sequence[Metric], forms: Mapping[str, Entry], confidence: float, style: str
) -> str:
    """A row for each form, with the primary score."""
    primary = metrics[0]
    rows = [_cells(primary, name, each) for name, each in forms.items()]
    headers = [
        "", "MB", "load (s)", "tokens/s", primary.heading,
        f"difference to {ADAPTER} [{100 * confidence:g} % interval]", "other answers",
    ]  # fmt: skip
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True)


def _cells(primary: Metric, name: str, each: Entry) -> list[str]:
    run = each.get("run", {})
    return [
        name,
        *(
            numbers.number(run[key], decimals) if key in run else ""
            for key, decimals in (("size_mb", 1), ("load_seconds", 1), ("tokens_per_second", 0))
        ),
        tables.with_interval(each, primary.key) if primary.key in each else tables.no_answer(each),
        _difference(primary, name, each),
        "" if name == ADAPTER else numbers.share(each["differing"], each["n"]),
    ]


def _difference(primary: Metric, name: str, each: Entry) -> str:
    if name == ADAPTER:
        return ""
    difference = each["difference"].get(primary.key)
    if difference is None:
        return "–"
    mean, low, high = (
        numbers.signed(difference[key], primary.decimals + 1) for key in ("mean", "low", "high")
    )
    return f"{mean} [{low}, {high}]"
