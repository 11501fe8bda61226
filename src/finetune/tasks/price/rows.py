"""Descriptions of products with their price."""

import functools
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import PrivateAttr

from finetune.core.errors import brief
from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt
from finetune.core.text import (
    DOLLARS,
    NUMBER,
    amount,
    any_mark,
    id_field,
    normalized,
    text_field,
)
from finetune.tasks.price.options import MAXIMUM, Answer, answer_to

# The numbers that a model can answer with by default.
PRICES = range(MAXIMUM + 1)
DEFAULT = Answer()
# More is no price of a product but a mistake in the data.
MAX_PRICE = 1e9

# The public data set wraps a description into the prompt of its course and, in the train split,
# appends the answer ("Price is $158.00"). Both go, or the model reads what it should predict.
_QUESTION = re.compile(r"\A\s*how much does this cost[^\n]*\n", re.IGNORECASE)


# On a line of its own: "The price is $20." may end a description. Matched against the last line
# alone: to search a text for blanks, line end, blanks and this takes cubic time.
@functools.cache
def _answer_line(marks: tuple[str, ...]) -> re.Pattern[str]:
    """The answer in a currency; in dollars with the sign alone."""
    mark = r"\$" if marks == DOLLARS else rf"(?:{'|'.join(map(re.escape, marks))})\s?"
    return re.compile(rf"\s*price is {mark}[\d.,]*", re.IGNORECASE)


class Row(TaskRow):
    """A description and its price; the category may be unknown.

    It is answered as by default, until `for_prompt` says otherwise.
    """

    text: str
    price: float
    category: str | None

    # By functions: a default is copied for every row, which takes longer than all else of a row.
    _answer: Answer = PrivateAttr(default_factory=lambda: DEFAULT)
    _marks: tuple[str, ...] = PrivateAttr(default_factory=lambda: DOLLARS)

    @property
    def input(self) -> str:
        """The description."""
        return self.text

    @property
    def completion(self) -> str:
        """The number of units that is nearest to the price, of those that the model can say."""
        return str(nearest(self.price, self._answer))

    @property
    def number(self) -> float:
        """The price in units."""
        return self.price / self._answer.unit

    @property
    def answer_in_input(self) -> bool:
        """Whether a price in the description is the row's, to the nearest dollar or rupee."""
        written = (
            float(price.replace(",", "")) for price in _prices(self._marks).findall(self.text)
        )
        return any(
            each < math.inf and math.floor(each + 0.5) == math.floor(self.price + 0.5)
            for each in written
        )

    def for_prompt(self, prompt: Prompt) -> Self:
        """The row, its answer in the unit that the prompt asks for."""
        row = self.model_copy()
        row._answer, row._marks = answer_to(prompt), marks_of(prompt)
        return row


def marks_of(prompt: Prompt) -> tuple[str, ...]:
    """What may stand beside an amount: the currency's code, and its sign, as the cue has it."""
    currency = answer_to(prompt).currency
    if currency in DOLLARS:
        return DOLLARS
    signs = (sign for sign in prompt.cue if unicodedata.category(sign) == "Sc")
    return (*dict.fromkeys(signs), currency)


@functools.cache
def _prices(marks: tuple[str, ...]) -> re.Pattern[str]:
    """Prices in a text, of which digits are the group; of dollars those with the sign alone."""
    before = any_mark(marks[:1] if marks == DOLLARS else marks)
    return re.compile(rf"{before}\s?({NUMBER})")


def of_prompt(prompt: Prompt) -> dict[str, Any]:
    """`clean` and `peculiarities` of a task's own currency, unit and maximum."""
    return {
        "clean": functools.partial(clean, prompt=prompt),
        "peculiarities": functools.partial(peculiarities, prompt=prompt),
    }


def clean(row: Mapping[str, Any], prompt: Prompt | None = None) -> Row:
    """The row without question and answer in its text.

    Raises:
        ValueError: a field is missing or of the wrong type, or the price is negative, not finite or
            ambiguous.
    """
    category = row.get("category")
    marks = DOLLARS if prompt is None else marks_of(prompt)
    price = money(row.get("price"), marks)
    if category is not None and not isinstance(category, str):
        raise ValueError(f"category is {brief(category)}, must be text or missing")
    cleaned = Row(
        id=id_field(row),
        text=description(text_field(row, "text"), marks),
        price=price,
        category=" ".join(text_field(row, "category").split()) or None if category else None,
    )
    # Its marks alone: which rows repeat each other is not to depend on the unit or the maximum.
    cleaned._marks = marks
    return cleaned


def money(value: Any, marks: tuple[str, ...] = DOLLARS) -> float:
    """A price of a source as a number; `marks` are its currency's, the code last.

    Raises:
        ValueError: it is none, or negative, not finite or ambiguous.
    """
    # Text comes from CSV.
    price = amount(value, "price", marks) if isinstance(value, str) else value
    if isinstance(price, bool) or not isinstance(price, int | float):
        written = f"{marks[0]} 1,299.00" if marks[0].isalpha() else f"{marks[0]}1,299.00"
        raise ValueError(f"price is {brief(value)}, must be a number, such as 12.5 or {written}")
    if not 0 <= price < math.inf or price > MAX_PRICE:
        raise ValueError(f"price is {price!r:.30}, must be a number from 0 to {MAX_PRICE:g}")
    return float(price)


def description(text: str, marks: tuple[str, ...] = DOLLARS) -> str:
    """A text without the course's question at its start and its answer at its end."""
    return normalized(_without_answer(_QUESTION.sub("", text), marks))


def _without_answer(text: str, marks: tuple[str, ...]) -> str:
    """A text without its last line and the blanks before that, if it is the course's answer."""
    before, _, last = text.rstrip().rpartition("\n")
    return before.rstrip() if _answer_line(marks).fullmatch(last) else text


def nearest(price: float, answer: Answer) -> int:
    """The price in units, rounded half up (Python's own rounding makes 0.5 and 1.5 neighbours).

    From 0 to the answer's maximum.
    """
    return min(answer.maximum, max(0, math.floor(_units(price, answer) + 0.5)))


def is_above(price: float, answer: Answer) -> bool:
    """Whether a price is rounded to more than the answer's maximum."""
    return _units(price, answer) >= answer.maximum + 0.5


def _units(price: float, answer: Answer) -> float:
    """A price in units; 0.35 in tenths is 3.5, which as binary fractions it is just below."""
    return round(price / answer.unit, 9)


def peculiarities(row: Mapping[str, Any], prompt: Prompt | None = None) -> Iterator[str]:
    """What cleaning will change in a raw row, and what a reader of the data should know."""
    answer = DEFAULT if prompt is None else answer_to(prompt)
    marks = DOLLARS if prompt is None else marks_of(prompt)
    text = text_field(row, "text")
    if _QUESTION.search(text):
        yield "question_in_text"
    if _without_answer(text, marks) != text:
        yield "answer_in_text"
    if _prices(marks).search(description(text, marks)):
        yield "some_price_in_description"
    if is_above(money(row.get("price"), marks), answer):
        yield "price_above_maximum"
    if not row.get("category"):
        yield "category_missing"
