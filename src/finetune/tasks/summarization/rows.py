"""Dialogues, or other texts, with summaries.

A row with several references has the first as its `summary` and all as its `references`. The first
is what training learns and what perplexity is of; ROUGE takes the best over all, each score by
itself, which is the convention of `rouge_score.RougeScorer.score_multi`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from finetune.core.rows import TaskRow
from finetune.core.text import id_field, normalized, text_field, words


class Row(TaskRow):
    """A text and its summary; of several references all, the first being the summary."""

    dialogue: str
    summary: str
    references: tuple[str, ...] = ()

    @property
    def input(self) -> str:
        """The dialogue."""
        return self.dialogue

    @property
    def completion(self) -> str:
        """The summary; of several references the first."""
        return self.summary

    @property
    def texts(self) -> tuple[str, ...]:
        """The dialogue and all summaries."""
        return (self.dialogue, self.summary, *self.references)

    def rewritten(self, rewrite: Callable[[str], str]) -> Self:
        """The row with each of its texts rewritten."""
        update: dict[str, Any] = {
            "dialogue": rewrite(self.dialogue), "summary": rewrite(self.summary),
        }  # fmt: skip
        if self.references:
            update["references"] = tuple(map(rewrite, self.references))
        return self.model_copy(update=update)

    @property
    def answer_in_input(self) -> bool:
        """Whether a line of the dialogue, without its speaker, is a reference."""
        lines = self.dialogue.split("\n")
        said = {words(text) for line in lines for text in (line, line.partition(":")[2])}
        return any(
            words(each) in said for each in self.references or (self.summary,) if words(each)
        )


def clean(row: Mapping[str, Any]) -> Row:
    """The row with line ends and blanks normalized; a summary is one line.

    Where the raw summary is a list of texts, blank ones are left out.

    Raises:
        ValueError: a field is missing or not text.
    """
    summaries = [" ".join(text.split()) for text in _summaries(row)]
    written = tuple(summary for summary in summaries if summary) or ("",)
    row_id, dialogue = id_field(row), normalized(text_field(row, "dialogue"))
    if len(written) > 1:
        return Row(id=row_id, dialogue=dialogue, summary=written[0], references=written)
    return Row(id=row_id, dialogue=dialogue, summary=written[0])


def peculiarities(row: Mapping[str, Any]) -> Iterator[str]:
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


def _summaries(row: Mapping[str, Any]) -> list[str]:
    """A raw row's references, at least one.

    Raises:
        ValueError: there is none, or one is not text.
    """
    value = row.get("summary")
    if not isinstance(value, list):
        return [text_field(row, "summary")]
    named = {f"summary {number}": text for number, text in enumerate(value, start=1)}
    return [text_field(named, name) for name in named] or [text_field({}, "summary")]
