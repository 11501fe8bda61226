"""Parameters of a task whose answer is a label of a fixed set."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from finetune.core import schema
from finetune.core.schema import RowFields


def _is_label_set(labels: list[str]) -> list[str]:
    if len(labels) < 2:
        raise ValueError(f"is {labels!r}, must name two labels or more; null takes those of train")
    for label in labels:
        if label != " ".join(label.split()) or not label:
            raise ValueError(f"holds {label!r}, must hold texts without blanks at their ends")
    if twice := _repeated(labels):
        raise ValueError(f"holds {twice!r} twice")
    return labels


def _repeated(labels: Sequence[str]) -> str | None:
    return next((label for number, label in enumerate(labels) if label in labels[:number]), None)


class LabelEval(schema.Eval):
    """How the model is asked for a label: by its distribution over `labels`; null, those of train.

    With `length_correction` a label weighs as its probability per token, not as that of all its
    tokens.
    """

    labels: Annotated[list[str], AfterValidator(_is_label_set)] | None
    length_correction: bool


class Task(schema.Task):
    """A data set of texts with a label each."""

    fields = RowFields("text", frozenset({"text", "label"}))

    eval: LabelEval
