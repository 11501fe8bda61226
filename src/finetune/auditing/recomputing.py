"""What a revision's own stages compute again: scores of all rows, predictions of some."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.auditing import differences, drawing
from finetune.auditing.checkout import Checkout
from finetune.auditing.differences import Counts, Difference
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_json, read_jsonl, read_text, write_jsonl
from finetune.scoring import draws

SPLITS = ("validation", "test")
# As `TextEval.is_random` has it. A sampled answer depends on its row's place in the file.
SAMPLED = ("sample", "mbr")


@dataclass(frozen=True)
class Recomputed:
    """What was computed again of a task: `drawn` of `total` rows, or values; and what differs.

    `split` is that of predictions; empty for scores, and for general text.
    """

    task: str
    what: str
    split: str
    total: int
    drawn: int
    counts: Counts


def scores(there: Checkout, task: str, tolerance: float) -> Recomputed:
    """Score all of a task's committed predictions again, of the tuned and the untuned model."""
    files = [paths.metrics(task, "base"), paths.metrics(task, "tuned"), paths.groups(task)]
    files += [
        paths.scored(task, model, split)
        for split in SPLITS
        for model in ("base", "few_shot", "tuned")
    ]
    committed = {file: _content(there.root / file) for file in files}
    there.run("evaluate", "base", task)
    there.run("evaluate", "tuned", task)
    counts = differences.total(
        [
            differences.of_values(
                committed[file], _content(there.root / file), tolerance, f"{file.as_posix()}:"
            )
            for file in files
        ]
    )
    number = counts.exact + counts.within + len(counts.different)
    return Recomputed(task, "scores", "", number, number, counts)


def _content(file: Path) -> Any:
    """The values of a metric file, a table or a file of rows; of one that is missing, none."""
    if not file.is_file():
        return {}
    if file.suffix == ".json":
        return read_json(file)
    if file.suffix == ".jsonl":
        return {f"row {number}": row for number, row in enumerate(read_jsonl(file), 1)}
    table = csv.DictReader(io.StringIO(read_text(file), newline=""), delimiter="\t")
    return {
        f"row {number}": {key: _number(value) for key, value in row.items()}
        for number, row in enumerate(table, 1)
    }


def _number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text  # a group may be named nan


def predictions(
    there: Checkout,
    task: str,
    seed: int,
    count: Callable[[int], int],
    edited: float,
    tolerance: float,
) -> list[Recomputed]:
    """Let the tuned model answer some validation and test rows again, and weigh general text.

    The stage `predict` itself does it, of a data folder with these rows alone. `count` says how
    many rows of how many are drawn, which are to find an edit of the rate `edited` of them; where
    answers are sampled, all are.
    """
    is_sampled = there.params["tasks"][task].get("eval", {}).get("decode") in SAMPLED
    chosen: dict[str, list[int]] = {}
    committed: dict[str, list[list[dict[str, Any]]]] = {}
    for split in SPLITS:
        file = there.root / paths.prepared(task) / f"{split}.jsonl"
        rows = read_jsonl(file)
        drawn = len(rows) if is_sampled else count(len(rows))
        chosen[split] = drawing.positions(seed, task, split, len(rows), drawn)
        committed[split] = _by_draw(there, task, split, len(rows))
        # A new file in its place: DVC may have linked this one to its cache.
        write_jsonl(file, [rows[position] for position in chosen[split]])
    general = read_jsonl(there.root / paths.general(task, "tuned"))
    there.run("predict", task)
    found = [
        _of_split(there, task, split, chosen[split], committed[split], edited, tolerance)
        for split in SPLITS
    ]
    again = read_jsonl(there.root / paths.general(task, "tuned"))
    if len(again) != len(general):
        raise UserError(f"{there.name}: general text of {task} has other passages than committed")
    names = [f"{task} general text {row.get('id')}:" for row in general]
    counts = differences.of_rows(general, again, names, tolerance, differences.scales(again))
    return [*found, Recomputed(task, "general text", "", len(general), len(general), counts)]


def num_rows(there: Checkout, task: str) -> int:
    """How many rows the larger one of a task's splits has."""
    files = [there.root / paths.prepared(task) / f"{split}.jsonl" for split in SPLITS]
    return max(len(read_jsonl(file)) for file in files)


def _by_draw(there: Checkout, task: str, split: str, total: int) -> list[list[dict[str, Any]]]:
    """The committed predictions of a split, by draw.

    Raises:
        UserError: they are not one for each row.
    """
    file = paths.predictions(task, "tuned", split)
    by_draw = draws.by_draw(read_jsonl(there.root / file))
    if any(len(rows) != total for rows in by_draw) or not by_draw:
        held = ", ".join(str(len(rows)) for rows in by_draw) or "0"
        raise UserError(f"{there.name}: {file} holds {held} predictions of {total} rows")
    return by_draw


def _of_split(
    there: Checkout,
    task: str,
    split: str,
    chosen: Sequence[int],
    committed: Sequence[Sequence[dict[str, Any]]],
    edited: float,
    tolerance: float,
) -> Recomputed:
    """How the predictions of the chosen rows differ; a row that does in any of its draws does.

    Huge numbers that would widen the tolerance have to be in so many rows that these are found.
    """
    file = there.root / paths.predictions(task, "tuned", split)
    again = draws.by_draw(read_jsonl(file))
    before, after = _side_by_side(committed), _side_by_side(again)
    names = [f"{task} {split} row {position + 1}:" for position in chosen]
    counts = differences.of_rows(
        [before[position] for position in chosen],
        after,
        names,
        tolerance,
        differences.scales(before, drawing.num_edited(len(before), edited)),
    )
    return Recomputed(task, "predictions", split, len(committed[0]), len(chosen), counts)


def _side_by_side(by_draw: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row of all draws for each row, or of the only draw."""
    if len(by_draw) == 1:
        return list(by_draw[0])
    return [{f"draw {k}": row for k, row in enumerate(rows)} for rows in zip(*by_draw, strict=True)]


def described(each: Difference) -> str:
    """A difference on one line."""
    return f"{each.where} is {_short(each.committed)}, and computed again {_short(each.again)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
