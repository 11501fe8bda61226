"""What sections of the page are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from finetune.reporting import numbers
from finetune.reporting.numbers import Measure


@dataclass(frozen=True)
class Figure:
    """A drawing with its words; phones get the narrow one where there are two."""

    heading: str
    caption: str
    svg: Markup
    narrow: Markup | None = None


@dataclass(frozen=True)
class Part:
    """A task's part of a section: figures and tables, and what is missing of it."""

    figures: list[Figure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def difference(gain: Mapping[str, float] | None, measure: Measure, unit: str = "") -> str:
    """`+40.2 [+38.0, +42.3]`, with a unit where one is given; a dash for none."""
    if not gain:
        return "–"
    low, mean, high = (
        numbers.signed(gain[end], measure.decimals) for end in ("low", "mean", "high")
    )
    return f"{f'{mean} {unit}'.strip()} [{low}{numbers.LIST}{high}]"
