"""Word problems with worked solutions, in the shape of GSM8K.

The last line of an answer is the final one, `#### 42`; the lines before it work it out, one a step.
Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems".
"""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Self

from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt
from finetune.core.text import id_field, normalized, text_field
from finetune.tasks.math.options import MathPrompt

# Put before a final answer whose solution is a field apart; other texts keep the marker they have.
MARKER = "####"
_NUMBER = re.compile(
    r"(?P<fraction>-?(?:(?P<units>\d+)\s+)?(?P<top>\d+)\s?/\s?(?P<bottom>[1-9]\d*))"
    r"|(?P<decimal>-?\d+(?:,\d{3})*(?:\.\d+)?)"
)
# Other notations, such as 12,5 and 1.234,50, 12 500, 2.5e3 and 3/-4: none of them is guessed.
_UNCLEAR = re.compile(
    r"\d,(?!\d{3}(?!\d))\d|\d\.\d+,\d|\d[  ]\d{3}(?!\d)|\d[eE][-+]?\d|\d\s?/\s?[-+]"
)


class Row(TaskRow):
    """A question, and a worked solution with the final answer on its last line."""

    question: str
    answer: str

    @property
    def input(self) -> str:
        """The question."""
        return self.question

    @property
    def completion(self) -> str:
        """The worked solution with the final answer."""
        return self.answer

    @property
    def answer_in_input(self) -> bool:
        """Whether the final answer is one of the question's numbers."""
        answer = _numbers(last_line(self.answer))[-1:]
        return bool(answer) and answer[0] in _numbers(self.question)

    def for_prompt(self, prompt: Prompt) -> Self:
        """The row, its answer without the solution where `prompt.completion` is `answer`."""
        if isinstance(prompt, MathPrompt) and prompt.completion == "answer":
            return self.model_copy(update={"answer": last_line(self.answer)})
        return self


def last_line(text: str) -> str:
    """What stands after the last line end."""
    return text.rpartition("\n")[2]


def _numbers(text: str) -> list[Fraction]:
    return [_value(match) for match in _NUMBER.finditer(text)]


def _value(match: re.Match[str]) -> Fraction:
    if not match["fraction"]:
        return Fraction(match["decimal"].replace(",", ""))
    value = int(match["units"] or 0) + Fraction(int(match["top"]), int(match["bottom"]))
    return -value if match["fraction"].startswith("-") else value


def clean(row: Mapping[str, Any]) -> Row:
    """The row with line ends and blanks normalized, and the final answer below its solution.

    Raises:
        ValueError: a field is missing or not text, or the last line of the answer has no number, or
            one whose notation is not clear.
    """
    answer = normalized(_answer(row))
    if solution := normalized(_solution(row)):
        marker = "" if MARKER in answer else f"{MARKER} "
        answer = f"{solution}\n{marker}{answer}"
    if not re.search(r"(?<![^\W\d_])\d", last_line(answer)):  # `x1` is no number
        raise ValueError(f"answer ends with {last_line(answer)!r:.60}, must end with a number")
    if _UNCLEAR.search(last_line(answer).rpartition(MARKER)[2]):
        raise ValueError(
            f"answer ends with {last_line(answer)!r:.60}, must end with a number such as 12.5, "
            "1,234.50 or 3/4"
        )
    return Row(id=id_field(row), question=normalized(text_field(row, "question")), answer=answer)


def peculiarities(row: Mapping[str, Any]) -> Iterator[str]:
    """What a reader of the data should know."""
    answer, solution = _answer(row), _solution(row)
    if "\r" in text_field(row, "question") + answer + solution:
        yield "carriage_returns"
    if "<<" in answer + solution:
        yield "calculator_annotations"
    if not solution.strip() and MARKER not in answer:
        yield "answer_without_marker"
    if not solution.strip() and "\n" not in answer.strip():
        yield "answer_without_solution"


def _answer(row: Mapping[str, Any]) -> str:
    """A raw row's answer, which may be a number.

    Raises:
        ValueError: it is neither text nor a number.
    """
    value = row.get("answer")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return text_field(row, "answer")


def _solution(row: Mapping[str, Any]) -> str:
    """A raw row's solution where it has a field of its own.

    Raises:
        ValueError: it is not text.
    """
    return "" if row.get("solution") is None else text_field(row, "solution")
