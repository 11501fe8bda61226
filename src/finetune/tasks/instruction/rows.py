"""Instructions, a context where there is one, and responses.

A row may list facts: texts that a good response contains; and may hold the section of a document
that its response was taken from, for scoring alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from finetune.core.rows import TaskRow
from finetune.core.text import id_field, normalized, text_field


class Row(TaskRow):
    """An instruction and its response; all others are empty where there are none."""

    instruction: str
    response: str
    context: str = ""
    facts: tuple[str, ...] = ()
    section: str = ""

    @property
    def input(self) -> str:
        """The instruction, and the context below it."""
        return prompt_text(self.instruction, self.context)

    @property
    def completion(self) -> str:
        """The response."""
        return self.response


def prompt_text(instruction: str, context: str) -> str:
    """What the model reads of a row: the instruction, and a context below an empty line."""
    return f"{instruction}\n\n{context}" if context else instruction


def clean(row: Mapping[str, Any]) -> Row:
    """The row with line ends and blanks normalized; a fact is one line, and stands there once.

    Raises:
        ValueError: a field is missing or not text.
    """
    optional: dict[str, Any] = {}
    for name in ("context", "section"):
        if text := normalized(_optional(row, name)):
            optional[name] = text
    if facts := tuple(dict.fromkeys(filter(None, map(_one_line, _facts(row))))):
        optional["facts"] = facts
    return Row(
        id=id_field(row),
        instruction=normalized(text_field(row, "instruction")),
        response=normalized(text_field(row, "response")),
        **optional,
    )


def peculiarities(row: Mapping[str, Any]) -> Iterator[str]:
    """What cleaning will change in a raw row, and what a reader of the data should know."""
    response, context, facts = text_field(row, "response"), _optional(row, "context"), _facts(row)
    if "\r" in text_field(row, "instruction") + context:
        yield "carriage_returns_in_prompt"
    if response != response.strip():
        yield "stray_blanks_around_response"
    if context.strip():
        yield "with_context"
    if any(fact.strip() for fact in facts):
        yield "with_facts"
    answer = _one_line(response).casefold()
    if any(_one_line(fact).casefold() not in answer for fact in facts):
        yield "facts_not_in_response"


def _optional(row: Mapping[str, Any], name: str) -> str:
    """A raw row's context or section, empty where it has none.

    Raises:
        ValueError: it is not text.
    """
    return "" if row.get(name) is None else text_field(row, name)


def _facts(row: Mapping[str, Any]) -> list[str]:
    """A raw row's facts: a list of texts, or a text with one a line.

    Raises:
        ValueError: one is not text.
    """
    value = row.get("facts")
    if value is None:
        return []
    if not isinstance(value, list):
        return text_field(row, "facts").splitlines()
    named = {f"fact {number}": text for number, text in enumerate(value, start=1)}
    return [text_field(named, name) for name in named]


def _one_line(text: str) -> str:
    return " ".join(text.split())
