"""What sections of the page are made of, and what a kind of task adds to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from finetune.core.schema import Train
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric, Row

if TYPE_CHECKING:
    from finetune.reporting.artifacts import TaskArtifacts


@dataclass(frozen=True)
class Figure:
    """A drawing with its words; phones get the narrow one where there are two."""

    heading: str
    caption: str
    svg: Markup
    narrow: Markup | None = None


@dataclass(frozen=True)
class Table:
    """Cells as texts, the first of each row its heading."""

    head: list[str]
    rows: list[list[str]]
    heading: str = ""


@dataclass(frozen=True)
class Part:
    """A task's part of a section; `missing` says what could not be shown, and why."""

    figures: list[Figure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Series:
    """A number of each prepared row, drawn as a histogram."""

    label: str
    value: Callable[[Row], float]
    is_log: bool = False


@dataclass(frozen=True, kw_only=True)
class KindQuality:
    """A kind's own part of the error analysis; its figures stand around those by groups."""

    before_groups: list[Figure] = field(default_factory=list)
    after_groups: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    examples: Markup = field(default_factory=Markup)


def _nothing(of: Any) -> list[str]:
    return []


@dataclass(frozen=True, kw_only=True)
class KindReport:
    """What the report shows of one kind of task; `REPORT` of the kind's `report.py`.

    `description` says what is predicted: "summaries of dialogues". `loss` is a sentence on what
    training minimizes. `quality` is only asked for once there are predictions of the tuned model;
    it takes the beginning of its figures' ids. `notes` are remarks beneath the task's scores,
    `remarks` those beneath its table in a terminal and the README, from its metric files by name.
    """

    description: str
    series: tuple[Series, ...]
    loss: Callable[[Train], str]
    quality: Callable[[str, "TaskArtifacts"], KindQuality]
    notes: Callable[["TaskArtifacts"], list[str]] = _nothing
    remarks: Callable[[Mapping[str, Any]], list[str]] = _nothing


def difference(gain: Mapping[str, float] | None, metric: Metric, unit: str = "") -> str:
    """`+40.2 [+38.0, +42.3]`, with a unit where one is given; a dash for none."""
    if not gain:
        return "–"
    low, mean, high = (
        numbers.signed(gain[end], metric.decimals) for end in ("low", "mean", "high")
    )
    return f"{f'{mean} {unit}'.strip()} [{low}{numbers.LIST}{high}]"


def counted(count: float) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{numbers.number(count, 0)} row{'' if count == 1 else 's'}"
