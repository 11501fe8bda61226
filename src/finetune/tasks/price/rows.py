"""Descriptions of products with their price in USD."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from finetune.core.rows import TaskRow
from finetune.core.text import amount, id_field, normalized, text_field

# The prices that the model can say: in Llama 3's tokenizer each is one token.
LOWEST, HIGHEST = 0, 999
PRICES = range(LOWEST, HIGHEST + 1)
# More is no price of a product but a mistake in the data.
MAX_PRICE = 1e9

# The public data set wraps a description into the prompt of its course and, in the train split,
# appends the answer ("Price is $158.00"). Both go, or the model reads what it should predict.
_QUESTION = re.compile(r"\A\s*how much does this cost[^\n]*\n", re.IGNORECASE)
# On a line of its own: "The price is $20." may end a description. Matched against the last line
# alone: to search a text for blanks, line end, blanks and this takes cubic time.
_ANSWER = re.compile(r"\s*price is \$[\d.,]*", re.IGNORECASE)
_PRICE = re.compile(r"\$\s?\d+(?:,\d{3})*(?:\.\d+)?")


class Row(TaskRow):
    """A description and its price in USD; the category may be unknown."""

    text: str
    price: float
    category: str | None

    @property
    def input(self) -> str:
        """The description."""
        return self.text

    @property
    def completion(self) -> str:
        """The price to the nearest dollar, clipped to what the model can say."""
        return str(nearest_dollar(self.price))

    @property
    def number(self) -> float:
        """The price."""
        return self.price

    @property
    def answer_in_input(self) -> bool:
        """Whether a price in the description is the row's, to the nearest dollar."""
        written = (price.lstrip("$ ").replace(",", "") for price in _PRICE.findall(self.text))
        return any(
            math.floor(float(each) + 0.5) == math.floor(self.price + 0.5) for each in written
        )


def clean(row: Mapping[str, Any]) -> Row:
    """The row without question and answer in its text.

    Raises:
        ValueError: a field is missing or of the wrong type, or the price is negative, not finite or
            ambiguous.
    """
    category = row.get("category")
    price = usd(row.get("price"))
    if category is not None and not isinstance(category, str):
        raise ValueError(f"category is {category!r}, must be text or missing")
    return Row(
        id=id_field(row),
        text=description(text_field(row, "text")),
        price=price,
        category=" ".join((category or "").split()) or None,
    )


def usd(value: Any) -> float:
    """A price of a source as a number of USD.

    Raises:
        ValueError: it is none, or negative, not finite or ambiguous.
    """
    # Text comes from CSV.
    price = amount(value, "price") if isinstance(value, str) else value
    if isinstance(price, bool) or not isinstance(price, int | float):
        raise ValueError(f"price is {value!r}, must be a number of USD")
    if not 0 <= price < math.inf or price > MAX_PRICE:
        raise ValueError(f"price is {price!r:.30}, must be a number from 0 to {MAX_PRICE:g}")
    return float(price)


def description(text: str) -> str:
    """A text without the course's question at its start and its answer at its end."""
    return normalized(_without_answer(_QUESTION.sub("", text)))


def _without_answer(text: str) -> str:
    """A text without its last line and the blanks before that, if it is the course's answer."""
    before, _, last = text.rstrip().rpartition("\n")
    return before.rstrip() if _ANSWER.fullmatch(last) else text


def nearest_dollar(price: float) -> int:
    """Rounded half up (Python's own rounding makes 0.5 and 1.5 neighbours), from 0 to 999."""
    return min(HIGHEST, max(LOWEST, math.floor(price + 0.5)))


def peculiarities(row: Mapping[str, Any]) -> Iterator[str]:
    """What cleaning will change in a raw row, and what a reader of the data should know."""
    text = text_field(row, "text")
    if _QUESTION.search(text):
        yield "question_in_text"
    if _without_answer(text) != text:
        yield "answer_in_text"
    if _PRICE.search(description(text)):
        yield "some_price_in_description"
    if usd(row.get("price")) >= HIGHEST + 0.5:
        yield f"price_above_{HIGHEST}"
    if not row.get("category"):
        yield "category_missing"
