"""What the columns of a file hold: their types, how full they are, how long their texts are."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from finetune.tasks import price

# Levels of nesting that are looked into: `answer.text`, `meta.source.name`.
DEPTH = 3
# A column is of a type when so many of its values are: single rows may be broken.
MOSTLY = 0.8

Type = Literal["text", "texts", "number", "other"]


@dataclass(frozen=True)
class Column:
    """A column, by its name or dotted path, over some rows.

    `filled` is the fraction of rows with a value; `words` the mean of texts, `distinct` the number
    of distinct values, `is_money` whether numbers are written with a currency's sign.
    """

    path: str
    type: Type
    filled: float
    words: float
    distinct: int
    is_money: bool
    example: str


def describe(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """The columns of some rows, in their order, each by its path; nested ones by dotted paths."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for path, value in _flat(row):
            values.setdefault(path, []).append(value)
    return {path: _column(path, found, len(rows)) for path, found in values.items()}


def _flat(row: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and depth < DEPTH:
            yield from _flat(value, f"{path}.", depth + 1)
        elif name:
            yield path, value


def _column(path: str, values: list[Any], rows: int) -> Column:
    filled = [value for value in values if not _is_blank(value)]
    types = [_type(value) for value in filled]
    mostly: Type = "other"
    for name in ("number", "texts", "text"):
        # In CSV numbers are texts: what reads as a number in most rows is one.
        if filled and types.count(name) >= MOSTLY * len(filled):
            mostly = name
    texts = [value for value in filled if isinstance(value, str)]
    lists = [text for value in filled if isinstance(value, list) for text in value]
    counted = [len(str(text).split()) for text in (lists if mostly == "texts" else texts)]
    return Column(
        path,
        mostly,
        len(filled) / rows,
        statistics.fmean(counted) if counted else 0.0,
        len({repr(value) for value in filled}),
        any("$" in text or "USD" in text for text in texts),
        " ".join(str(filled[0]).split()) if filled else "",
    )


def _is_blank(value: Any) -> bool:
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or is_nan or (isinstance(value, str) and not value.strip()) or value == []


def _type(value: Any) -> Type:
    if isinstance(value, bool):
        return "other"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, str):
        return "number" if _reads_as_number(value) else "text"
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return "texts"
    return "other"


def _reads_as_number(text: str) -> bool:
    try:
        return isinstance(price.number(text), float)
    except ValueError:  # may be two numbers
        return True
