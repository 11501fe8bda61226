"""The general text that base and tuned model are compared on: a page and fifty exercises.

Written for this repository (MIT), about nothing that a task is tuned on.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from finetune.core.files import read_jsonl, read_text

Part = Literal["page", "exercises"]

FOLDER = Path(__file__).parent
PAGE, EXERCISES = FOLDER / "page.txt", FOLDER / "exercises.jsonl"


@dataclass(frozen=True)
class Item:
    """A text whose likelihood is measured, and the prompt before it, which is not counted.

    A paragraph of the page has an empty prompt. The text of an exercise is its answer, with the
    blank before it.
    """

    id: str
    part: Part
    prompt: str
    text: str


def items() -> list[Item]:
    """The paragraphs of the page, then the exercises."""
    return [*page(), *exercises()]


def page() -> list[Item]:
    """The paragraphs of the page."""
    paragraphs = read_text(PAGE).strip().split("\n\n")
    return [Item(f"page-{i}", "page", "", text) for i, text in enumerate(paragraphs, start=1)]


def exercises() -> list[Item]:
    """The exercises: a question or a beginning, and its answer or end."""
    return [
        Item(row["id"], "exercises", row["prompt"], _after(row["prompt"]) + row["answer"])
        for row in read_jsonl(EXERCISES)
    ]


def _after(prompt: str) -> str:
    """What separates a prompt from its answer: nothing on a new line."""
    return "" if prompt.endswith("\n") else " "
