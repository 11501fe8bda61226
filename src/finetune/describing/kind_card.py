"""What a kind of task adds to the data card: `CARD` of the kind's `data_card.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of each row, such as its price; None for a row without it."""

    title: str
    of: Callable[[Any], float | None]


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Names of groups that a row belongs to, such as its category or its label.

    They are published whatever the data's licence, where five rows have them, so they may not be
    texts of the rows.
    """

    title: str
    of: Callable[[Any], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class KindCard:
    """What is counted and drawn of a kind's rows beside the lengths of their texts."""

    measures: tuple[Measure, ...] = ()
    groupings: tuple[Grouping, ...] = ()
