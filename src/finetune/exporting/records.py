"""What is known of a task's exported forms: `exports/TASK.json`, the same beside each export.

In Git: a form that left the repository is measured like the adapter, on all test rows, and stays on
record. An entry of another adapter than the present one, or of another number of rows, is dropped
when a form is added.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune.core.errors import DataError
from finetune.core.files import read_json, write_json
from finetune.core.schema import Params
from finetune.exporting.measuring import Measured
from finetune.reporting import tables
from finetune.scoring import numbers, summary
from finetune.scoring.metrics import Metric
from finetune.tasks import registry

ADAPTER = "tuned"
FILE = "export.json"
Entry = dict[str, Any]


def path(task: str) -> Path:
    """The file of a task's forms."""
    return Path("exports") / f"{task}.json"


def entry(settings: Params, task: str, tuned: Measured, form: Measured, about: Entry) -> Entry:
    """Scores of a form with their intervals, and their paired differences to the tuned model.

    `difference` is form - tuned for each metric over the same rows; `differing` the number of rows
    with another prediction. `about` says what was exported.
    """
    options = settings.tasks[task]
    scores = registry.scores(options.kind, options.prompt)
    most = options.score.max_no_answer
    protocol = {**options.eval.model_dump(), **options.score.model_dump()}
    gain = summary.gain(
        scores.METRICS, scores.FLAGS, tuned.predictions, form.predictions, settings.bootstrap, most
    )
    pairs = zip(tuned.predictions, form.predictions, strict=True)
    return {
        **summary.summary(
            scores.METRICS, scores.FLAGS, form.predictions, settings.bootstrap, protocol, most
        ),
        "difference": gain,
        "differing": sum(one["prediction"] != two["prediction"] for one, two in pairs),
        **about,
        "run": form.run(),
    }


def read(root: Path, task: str) -> dict[str, Entry]:
    """The recorded forms of a task by name; none where there is no file.

    Raises:
        DataError: the file is not of this shape.
    """
    file = root / path(task)
    if not file.is_file():
        return {}
    try:
        return dict(read_json(file)[task]["exports"])
    except (KeyError, TypeError):
        raise DataError(f"{file}: holds no forms of {task}; remove it and export again") from None


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
    entries = {**kept, **new}
    write_json(root / path(task), as_metrics(task, entries))
    return entries


def as_metrics(task: str, entries: Mapping[str, Entry]) -> dict[str, Any]:
    """Entries as a metric file has them."""
    return {task: {"exports": dict(entries)}}


def table(
    metrics: Sequence[Metric], entries: Mapping[str, Entry], confidence: float, style: str
) -> str:
    """A row for each form, with the primary score."""
    primary = metrics[0]
    rows = [_cells(primary, name, each) for name, each in entries.items()]
    headers = [
        "", "MB", "load (s)", "tokens/s", primary.heading,
        f"difference to {ADAPTER} [{100 * confidence:g} % interval]", "other answers",
    ]  # fmt: skip
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True)


def _cells(primary: Metric, name: str, each: Entry) -> list[str]:
    run = each["run"]
    return [
        name,
        numbers.number(run["size_mb"], 1),
        numbers.number(run["load_seconds"], 1),
        numbers.number(run["tokens_per_second"], 0),
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
