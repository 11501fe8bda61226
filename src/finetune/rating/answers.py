"""The answers of two runs to the same rows: what a rater sees of them, and hashes to know them by.

Ratings name answers by these hashes alone. So a page needs no key that says which side is whose,
a file of ratings holds no text, and ratings of other answers are recognized.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.comparing import comparability, runs
from finetune.comparing.runs import WORKSPACE, Model, Run, Split
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.text import input_hash
from finetune.rating.kind_rating import KindRating
from finetune.scoring.metrics import Flag, imputed
from finetune.shelf.rows import public_id
from finetune.tasks import registry

MODELS: tuple[Model, ...] = ("base", "few_shot")
NO_ANSWER = "(no answer)"
# A text, a number, or None for no answer.
Answer = str | float | None


@dataclass(frozen=True)
class Pair:
    """A row's answers by the two runs, as they are rated.

    `input` is the hash of the text that was asked about; the hash of an answer is of the row too.
    """

    row: str
    input: str
    answers: tuple[Answer, Answer]
    reference: Answer

    @property
    def hashes(self) -> tuple[str, str]:
        """Sixteen hexadecimal digits for each answer."""
        first, second = (answer_hash(self.row, self.input, answer) for answer in self.answers)
        return first, second

    @property
    def is_same(self) -> bool:
        """Whether a rater would see twice the same."""
        first, second = (shown(answer, "") for answer in self.answers)
        return first == second


def read(root: Path, name: str, split: Split) -> Run:
    """A run by its name; `NAME:base` and `NAME:few_shot` are those of the untuned model.

    Raises:
        UserError: there is no such run.
    """
    revision, colon, suffix = name.rpartition(":")
    for model in MODELS:
        if colon and suffix == model:
            return runs.read(root, revision, split, model=model)
    return runs.read(root, name, split)


def pairs(task: str, first: Run, second: Run) -> list[Pair]:
    """The rows of both runs with their answers, in the first run's order.

    Raises:
        UserError: they are not of the same rows, or a run has no answers, only scores.
    """
    comparability.check_rows(task, first, second)
    flags = registry.scores(first.kinds[task]).FLAGS
    others = {row["id"]: row for row in second.predictions[task]}
    return [
        Pair(
            row["id"],
            row.get("input_hash", ""),
            (_answer(flags, row, first, task), _answer(flags, others[row["id"]], second, task)),
            _plain(row.get("reference")),
        )
        for row in first.predictions[task]
    ]


def _answer(flags: Sequence[Flag], row: Mapping[str, Any], run: Run, task: str) -> Answer:
    if "prediction" not in row:
        raise UserError(
            f"{run.name}: has no answers of {task}, only their scores, as all that is shelved; "
            "take the commit or the experiment that it was shelved from"
        )
    return None if imputed(flags, row) else _plain(row["prediction"])


def _plain(value: Any) -> Answer:
    """Blanks around a text are not seen; where nothing else is left, there is no answer."""
    if isinstance(value, str) or value is None:
        return (value or "").strip() or None
    return float(value)


def answer_hash(row: str, input_hash: str, answer: Answer) -> str:
    """Sixteen hexadecimal digits for an answer to a row."""
    text = json.dumps([row, input_hash, answer])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shown(answer: Answer, unit: str) -> str:
    """What is read of an answer: all numbers alike, whatever their digits."""
    if answer is None:
        return NO_ANSWER
    if isinstance(answer, str):
        return answer
    return f"{answer:,.2f} {unit}".strip()


def unit(rating: KindRating, task: str, run: Run) -> str:
    """The unit of a task's answers that are numbers."""
    value = run.params.get(f"tasks.{task}.prompt.{rating.unit_param}")
    return str(value) if rating.unit_param and value else rating.unit


def inputs(root: Path, task: str, split: Split, sides: Sequence[Run]) -> dict[str, str]:
    """The texts that the rows ask about, by row.

    Of the first of the two runs whose prepared data can be had, or of the workspace: predictions
    hold hashes of their texts, so that another data set's are noticed.

    Raises:
        UserError: none of these has the rows, or they are not those that were asked about.
    """
    problem = ""
    wanted = {row["id"]: row.get("input_hash") for row in sides[0].predictions[task]}
    path = paths.prepared(task) / f"{split}.jsonl"
    sources = [*(run.text for run in sides), runs.source_of(root, WORKSPACE).text]
    for text_of in sources:
        try:
            rows = runs.parse_jsonl(text_of(path.as_posix()), path.as_posix())
        except UserError as error:
            problem = problem or str(error)
            continue
        row_type = registry.rows(sides[0].kinds[task]).Row
        texts = {public_id(row["id"]): row_type.model_validate(row).input for row in rows}
        if all(
            name in texts and of_text in (None, input_hash(texts[name]))
            for name, of_text in wanted.items()
        ):
            return texts
        problem = f"{path}: its rows are not those that {sides[0].name} was asked about"
    raise UserError(f"{task}: the texts of the rows are nowhere: {problem}")
