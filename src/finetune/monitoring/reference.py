"""What a log is compared with: a task's train rows, and the tuned model's answers to test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_jsonl
from finetune.core.rows import TaskRow
from finetune.core.schema import Params
from finetune.forms import entries
from finetune.monitoring.drift import Distributions, Rates
from finetune.monitoring.reading import Entry, Requests, values
from finetune.scoring import draws

# Flags of a line of the log by those of `predict`; prices that are none are `unparsable`.
FLAGS = {"empty": ("empty", "unparsable"), "capped": ("hit_length_cap",)}
TITLES = {"empty": "no answer", "capped": "truncated answers"}
# A prompt that does not fit is refused by the server unless the client lets it be truncated, and
# always truncated by `predict`: so the two are one rate.
NOT_FITTING = "refused or truncated prompts"


@dataclass(frozen=True)
class Reference:
    """The train rows, and the test rows with the answers of the tuned model, in one order."""

    train: Sequence[TaskRow]
    test: Sequence[TaskRow]
    predictions: Sequence[dict[str, Any]]


def read(root: Path, settings: Params, task: str) -> Reference:
    """A task's prepared rows and its committed predictions.

    Raises:
        UserError: they are not there, or not of each other.
    """
    train, test = entries.rows(root, settings, task)
    file = root / paths.predictions(task, "tuned")
    if not file.is_file():
        raise UserError(f"{file}: not there; `dvc repro` makes it, `dvc pull` downloads it")
    (predictions, *_) = draws.by_draw(read_jsonl(file)) or [[]]
    if [each.id for each in test] != [each["id"] for each in predictions]:
        raise UserError(f"{file}: is not of the rows of {paths.prepared(task)}; run `dvc repro`")
    return Reference(train, test, predictions)


def given(requests: Requests, reference: Reference) -> list[Distributions | Rates]:
    """The samples to test: lengths, answers, and rates of what was refused, missing, truncated."""
    answered, predictions = requests.answered, reference.predictions
    asked = [*answered, *requests.refused]
    compared: list[Distributions | Rates] = [
        Distributions(
            "length of inputs", "characters", list(values(asked, "input_chars")),
            [float(len(row.input)) for row in reference.train],
        ),
        _answers(requests, reference),
        Rates(
            NOT_FITTING, (len(requests.refused) + _raised(answered, "truncated"), len(asked)),
            _hits(predictions, ("refused", "prompt_truncated")),
        ),
    ]  # fmt: skip
    for flag, names in FLAGS.items():
        if any(name in row for row in predictions for name in names):
            logged = _raised(answered, flag), len(answered)
            compared.append(Rates(TITLES[flag], logged, _hits(predictions, names)))
    return compared


def _raised(requests: Sequence[Entry], flag: str) -> int:
    return sum(bool(entry.get(flag)) for entry in requests)


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
