"""What requests and answers of a task should be like: its train rows, and predict's answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_jsonl
from finetune.core.rows import TaskRow
from finetune.core.schema import Task
from finetune.monitoring.drift import Distributions, Rates
from finetune.monitoring.reading import Requests, values
from finetune.scoring import draws
from finetune.tasks import registry

# Flags of a line of the log by those of `predict`; prices that are none are `unparsable`.
FLAGS = {
    "empty": ("empty", "unparsable"),
    "truncated": ("prompt_truncated",),
    "capped": ("hit_length_cap",),
}
TITLES = {"empty": "no answer", "truncated": "truncated prompts", "capped": "truncated answers"}


@dataclass(frozen=True)
class Reference:
    """The train rows, and the test rows with the answers of the tuned model, in one order."""

    train: Sequence[TaskRow]
    test: Sequence[TaskRow]
    predictions: Sequence[dict[str, Any]]


def read(root: Path, options: Task, task: str) -> Reference:
    """A task's prepared rows and its committed predictions.

    Raises:
        UserError: they are not there, or not of each other.
    """
    row = registry.rows(options.kind).Row
    folder = root / paths.prepared(task)
    files = [folder / "train.jsonl", folder / "test.jsonl", root / paths.predictions(task, "tuned")]
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: not there; `dvc repro` makes it, `dvc pull` downloads it")
    train, test = ([row(**each) for each in read_jsonl(file)] for file in files[:2])
    (predictions, *_) = draws.by_draw(read_jsonl(files[2])) or [[]]
    if [each.id for each in test] != [each["id"] for each in predictions]:
        raise UserError(f"{files[2]}: is not of the rows of {files[1]}; run `dvc repro`")
    return Reference(train, test, predictions)


def given(requests: Requests, reference: Reference) -> list[Distributions | Rates]:
    """What is compared: lengths, answers, and how many of them lack something."""
    answered, predictions = requests.answered, reference.predictions
    asked = [*answered, *requests.refused]
    compared: list[Distributions | Rates] = [
        Distributions(
            "length of inputs", "characters", list(values(asked, "input_chars")),
            [float(len(row.input)) for row in reference.train],
        ),
        _answers(requests, reference),
        Rates(
            "refused requests", (len(requests.refused), len(asked)),
            _hits(predictions, ("refused",)),
        ),
    ]  # fmt: skip
    for flag, names in FLAGS.items():
        if any(name in row for row in predictions for name in names):
            logged = sum(bool(entry.get(flag)) for entry in answered)
            title = TITLES[flag]
            compared.append(Rates(title, (logged, len(answered)), _hits(predictions, names)))
    return compared


def _hits(predictions: Sequence[dict[str, Any]], names: Sequence[str]) -> tuple[int, int]:
    return sum(any(row.get(name) for name in names) for row in predictions), len(predictions)


def _answers(requests: Requests, reference: Reference) -> Distributions:
    """Numbers as they are, of texts the lengths; without those that there are none of."""
    said = [row for row in reference.predictions if not row.get("unparsable")]
    if any(isinstance(row["prediction"], str) for row in reference.predictions):
        lengths = [float(len(row["prediction"])) for row in said]
        logged = list(values(requests.answered, "output_chars"))
        return Distributions("length of answers", "characters", logged, lengths)
    numbers = [float(row["prediction"]) for row in said]
    return Distributions(
        "predicted numbers", "", list(values(requests.answered, "prediction")), numbers
    )
