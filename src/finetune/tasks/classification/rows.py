"""Texts, each with the label that is to be predicted."""

from collections.abc import Iterator, Mapping
from typing import Any

from finetune.core.rows import TaskRow
from finetune.core.text import id_field, normalized, text_field


class Row(TaskRow):
    """A text and its label."""

    text: str
    label: str

    @property
    def input(self) -> str:
        """The text."""
        return self.text

    @property
    def completion(self) -> str:
        """The label."""
        return self.label


def clean(row: Mapping[str, Any]) -> Row:
    """The row with line ends and blanks normalized.

    Any label is kept: which ones there may be is a parameter, and prediction refuses all others.

    Raises:
        ValueError: a field is missing or not text, or the label neither text nor an integer, or
            blank.
    """
    text = normalized(text_field(row, "text"))
    return Row(id=id_field(row), text=text, label=label_text(row.get("label")))


def label_text(value: object) -> str:
    """A label of a source as text on one line.

    Raises:
        ValueError: it is neither text nor an integer, or blank.
    """
    # The hub's data sets number their labels.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    label = " ".join(text_field({"label": value}, "label").split())
    if not label:
        raise ValueError("label is blank, must say something")
    return label


def peculiarities(row: Mapping[str, Any]) -> Iterator[str]:
    """What cleaning will change in a raw row."""
    if "\r" in text_field(row, "text"):
        yield "carriage_returns_in_text"
    label = row.get("label")
    if isinstance(label, int):
        yield "number_as_label"
    elif label != label_text(label):
        yield "stray_blanks_around_label"
