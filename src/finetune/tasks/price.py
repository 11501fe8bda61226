"""Descriptions of products with their price in USD: rows of `id`, `text`, `price`, `category`."""

import math
import re
from collections.abc import Iterator
from typing import Any

from finetune.core.text import id_field, normalized, text_field

FIELDS = ("id", "text", "price", "category")
OPTIONAL = frozenset({"category"})
# The prices that the model can say: in Llama 3's tokenizer each is one token.
LOWEST, HIGHEST = 0, 999
# More is no price of a product but a mistake in the data.
MOST = 1e9

# The public data set wraps a description into the prompt of its course and, in the train split,
# appends the answer ("Price is $158.00"). Both go, or the model reads what it should predict.
_QUESTION = re.compile(r"\A\s*how much does this cost[^\n]*\n", re.IGNORECASE)
# On a line of its own: "The price is $20." may end a description. Matched against the last line
# alone: to search a text for blanks, line end, blanks and this takes cubic time.
_ANSWER = re.compile(r"\s*price is \$[\d.,]*", re.IGNORECASE)
_PRICE = re.compile(r"\$\s?\d+(?:,\d{3})*(?:\.\d+)?")
# A price as people in the US write it: "$5", "1,299.00", "$1,299", "1,299.00 USD".
_WRITTEN = re.compile(
    r"(?P<sign>\$|US\$|USD)?\s?(?P<digits>\d+|\d{1,3}(?:,\d{3})+)(?P<cents>\.\d*)?(?P<after>\s?USD)?"
)


def clean(row: dict[str, Any]) -> dict[str, Any]:
    """The row without question and answer in its text.

    Raises:
        ValueError: a field is missing or of the wrong type, or the price is negative, not finite or
            ambiguous.
    """
    price = row.get("price")
    if isinstance(price, str):  # from CSV
        price = number(price)
    if isinstance(price, bool) or not isinstance(price, int | float):
        raise ValueError(f"price is {row.get('price')!r}, must be a number of USD")
    if not 0 <= price < math.inf or price > MOST:
        raise ValueError(f"price is {price!r:.30}, must be a number from 0 to {MOST:g}")
    category = row.get("category")
    if category is not None and not isinstance(category, str):
        raise ValueError(f"category is {category!r}, must be text or missing")
    return {
        "id": id_field(row),
        "text": description(text_field(row, "text")),
        "price": float(price),
        "category": " ".join((category or "").split()) or None,
    }


def description(text: str) -> str:
    """A text without the course's question at its start and its answer at its end."""
    return normalized(_without_answer(_QUESTION.sub("", text)))


def _without_answer(text: str) -> str:
    """A text without its last line and the blanks before that, if it is the course's answer."""
    before, _, last = text.rstrip().rpartition("\n")
    return before.rstrip() if _ANSWER.fullmatch(last) else text


def body(row: dict[str, Any]) -> str:
    """The description."""
    return row["text"]


def target(row: dict[str, Any]) -> str:
    """The price to the nearest dollar, held within what the model can say."""
    return str(nearest_dollar(row["price"]))


def nearest_dollar(price: float) -> int:
    """Rounded half up (Python's own rounding makes 0.5 and 1.5 neighbours), from 0 to 999."""
    return min(HIGHEST, max(LOWEST, math.floor(price + 0.5)))


def found(row: dict[str, Any]) -> Iterator[str]:
    """What cleaning will change in a raw row, and what a reader of the data should know."""
    text = text_field(row, "text")
    if _QUESTION.search(text):
        yield "question_in_text"
    if _without_answer(text) != text:
        yield "answer_in_text"
    if _PRICE.search(description(text)):
        yield "some_price_in_description"
    if not row.get("category"):
        yield "category_missing"


def number(text: str) -> float | str:
    """The USD that a text says, such as `12.5`, `$1,299.00` or `1,299.00 USD`; else the text.

    Raises:
        ValueError: it may be two amounts: `1,299` alone is 1.299 where the comma is a decimal mark.
    """
    try:
        return float(text)
    except ValueError:
        written = _WRITTEN.fullmatch(text.strip())
    if not written:
        return text
    digits, cents = written["digits"], written["cents"] or ""
    if digits.count(",") == 1 and not (cents or written["sign"] or written["after"]):
        raise ValueError(
            f"price is {text!r}, which may be {digits.replace(',', '.')} or "
            f"{digits.replace(',', '')}; write ${digits}, or the number without a comma"
        )
    return float(digits.replace(",", "") + cents)
