"""Dialogues, or other texts, with summaries: rows of `id`, `dialogue`, `summary`.

A row with several references has the first as its `summary` and all as its `references`. The first
is what training learns and what perplexity is of; ROUGE takes the best over all, each score by
itself, which is the convention of `rouge_score.RougeScorer.score_multi`.
"""

from collections.abc import Iterator
from typing import Any

from finetune.core.text import id_field, normalized, text_field

FIELDS = ("id", "dialogue", "summary")
OPTIONAL: frozenset[str] = frozenset()


def clean(row: dict[str, Any]) -> dict[str, Any]:
    """The row with line ends and blanks normalized; a summary is one line.

    Where the raw summary is a list of texts, blank ones are left out.

    Raises:
        ValueError: a field is missing or not text.
    """
    summaries = [" ".join(text.split()) for text in _summaries(row)]
    written = [summary for summary in summaries if summary] or [""]
    cleaned = {
        "id": id_field(row),
        "dialogue": normalized(text_field(row, "dialogue")),
        "summary": written[0],
    }
    return cleaned | ({"references": written} if len(written) > 1 else {})


def body(row: dict[str, Any]) -> str:
    """The dialogue."""
    return row["dialogue"]


def target(row: dict[str, Any]) -> str:
    """The summary; of several references the first."""
    return row["summary"]


def references(row: dict[str, Any]) -> list[str]:
    """All texts that a prediction for the row is held against."""
    return row.get("references") or [row["summary"]]


def found(row: dict[str, Any]) -> Iterator[str]:
    """What cleaning will change in a raw row."""
    dialogue, summaries = text_field(row, "dialogue"), _summaries(row)
    if "\r" in dialogue:
        yield "carriage_returns_in_dialogue"
    if any(summary != summary.strip() for summary in summaries):
        yield "stray_blanks_around_summary"
    if any("\n" in summary for summary in summaries):
        yield "newlines_in_summary"
    if len(summaries) > 1:
        yield "several_references"
        if not all(summary.strip() for summary in summaries):
            yield "blank_references"


def _summaries(row: dict[str, Any]) -> list[str]:
    """A raw row's references, at least one.

    Raises:
        ValueError: there is none, or one is not text.
    """
    value = row.get("summary")
    if not isinstance(value, list):
        return [text_field(row, "summary")]
    named = {f"summary {number}": text for number, text in enumerate(value, start=1)}
    return [text_field(named, name) for name in named] or [text_field({}, "summary")]
