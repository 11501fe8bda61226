"""Statistics of a file's columns: type, fraction of filled rows, length of texts."""

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from finetune.core.text import amount

# Levels of nesting that become columns: `answer.text`, `meta.source.name`.
DEPTH = 3
# Fraction of values that determines the type of a column: single rows may be malformed.
MIN_TYPE_RATE = 0.8

Type = Literal["text", "texts", "number", "other"]


@dataclass(frozen=True)
class Column:
    """Statistics of a column, which `path` names by its dotted path.

    `filled` is the fraction of rows with a value, `words` the mean length of its texts, 0 for
    numbers; `values` are those of the filled rows.
    """

    path: str
    type: Type
    filled: float
    words: float
    values: Sequence[Any]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def distinct(self) -> int:
        """The number of distinct values."""
        return len({repr(value) for value in self.values})

    @property
    def example(self) -> str:
        """The first value, on one line."""
        return " ".join(str(self.values[0]).split()) if self.values else ""

    def is_named(self, words: Sequence[str]) -> bool:
        """Whether the path contains one of these words; long ones also match within a word."""
        parts = re.findall(r"[A-ZÄÖÜ]?[^\W\d_A-ZÄÖÜ]+|[A-ZÄÖÜ]+", self.path)
        folded = {part.casefold() for part in parts}
        return any(
            word in folded or (len(word) > 4 and word in self.path.casefold()) for word in words
        )


Columns = Mapping[str, Column]


def describe(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """The columns of some rows by path, in order of appearance; nested ones by dotted paths."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for path, value in _flat(row):
            values.setdefault(path, []).append(value)
    return {path: _column(path, of_column, len(rows)) for path, of_column in values.items()}


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
    column_type: Type = "other"
    candidates: tuple[Type, ...] = ("number", "texts", "text")
    for name in candidates:
        # CSV has no numbers: a column of texts that parse as numbers is one of numbers.
        if filled and types.count(name) >= MIN_TYPE_RATE * len(filled):
            column_type = name
    texts: list[Any] = []
    if column_type == "texts":
        texts = [text for value in filled if isinstance(value, list) for text in value]
    elif column_type != "number":
        texts = [value for value in filled if isinstance(value, str)]
    return Column(
        path=path,
        type=column_type,
        filled=len(filled) / rows,
        words=statistics.fmean(len(str(text).split()) for text in texts) if texts else 0.0,
        values=filled,
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
        return isinstance(amount(text, "value"), float)
    except ValueError:  # ambiguous, but numeric
        return True
