"""Dialogues, or other texts, with summaries: rows of `id`, `dialogue`, `summary`."""

from collections.abc import Iterator
from typing import Any

from finetune.tasks.text import id_field, normalized, text_field

FIELDS = ("id", "dialogue", "summary")


def clean(row: dict[str, Any]) -> dict[str, Any]:
    """The row with line ends and blanks normalized; a summary is one line.

    Raises:
        ValueError: a field is missing or not text.
    """
    return {
        "id": id_field(row),
        "dialogue": normalized(text_field(row, "dialogue")),
        "summary": " ".join(text_field(row, "summary").split()),
    }


def body(row: dict[str, Any]) -> str:
    """The dialogue."""
    return row["dialogue"]


def target(row: dict[str, Any]) -> str:
    """The summary."""
    return row["summary"]


def found(row: dict[str, Any]) -> Iterator[str]:
    """What cleaning will change in a raw row."""
    dialogue, summary = text_field(row, "dialogue"), text_field(row, "summary")
    if "\r" in dialogue:
        yield "carriage_returns_in_dialogue"
    if summary != summary.strip():
        yield "stray_blanks_around_summary"
    if "\n" in summary:
        yield "newlines_in_summary"
