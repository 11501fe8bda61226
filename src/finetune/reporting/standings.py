"""Who scores what by the first metric, and by how much the tuned model is ahead of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finetune.core.schema import Bootstrap
from finetune.reporting import numbers
from finetune.reporting.material import Material, Row
from finetune.reporting.tables import Metrics
from finetune.scoring import bootstrap, paired
from finetune.scoring.bootstrap import Interval
from finetune.tasks.scores import METRICS

Role = Literal["rung", "bound", "base", "few_shot", "tuned"]
MODELS: dict[Role, str] = {"base": "base model", "few_shot": "base, few-shot", "tuned": "tuned"}


@dataclass(frozen=True)
class Lead(Interval):
    """How far the tuned model is ahead, positive being better, with the difference's p-value."""

    p: float

    def seen_from_behind(self) -> "Lead":
        """The same difference from the other side."""
        return Lead(-self.mean, -self.high, -self.low, self.p)


@dataclass(frozen=True)
class Standing:
    """A rung's or a model's score; `rows` of it, fewer than `of` where it covers a part only."""

    key: str
    role: Role
    scores: Metrics
    score: float
    low: float
    high: float
    rows: int
    of: int

    @property
    def name(self) -> str:
        """What a person calls it."""
        return MODELS.get(self.role, self.key)

    @property
    def is_partial(self) -> bool:
        """Whether it covers a part of the test rows only."""
        return self.rows < self.of


def standings(material: Material) -> list[Standing]:
    """Everything that has the first metric: rungs, then models."""
    metrics = material.metrics
    found: list[tuple[str, Role, Metrics]] = [
        (name, "bound" if scores.get("protocol", {}).get("bound") else "rung", scores)
        for name, scores in metrics.get("ladder", {}).items()
    ]
    found += [(role, role, metrics[role]) for role in MODELS if metrics.get(role)]
    key = numbers.first(material.kind).key
    most = max((scores.get("n", 0) for _, _, scores in found), default=0)
    return [
        Standing(name, role, scores, scores[key], *_ends(scores, key), scores.get("n", 0), most)
        for name, role, scores in found
        if scores.get(key) is not None
    ]


def by_role(standings: Sequence[Standing], role: Role) -> Standing | None:
    """The first of a role."""
    return next((s for s in standings if s.role == role), None)


def best_rung(standings: Sequence[Standing], higher_is_better: bool) -> Standing | None:
    """The best rung that covers every row; a bound is no competitor."""
    rungs = [s for s in standings if s.role == "rung" and not s.is_partial]
    return sorted(rungs, key=lambda s: s.score, reverse=higher_is_better)[0] if rungs else None


def lead(material: Material, standing: Standing, options: Bootstrap) -> Lead | None:
    """How far the tuned model is *ahead* of another in the first metric, over the rows of both.

    Positive is better, whichever way the metric points. None where the rows are not there.
    """
    predictions = material.predictions if standing.role in MODELS else material.rungs
    theirs = predictions.get(standing.key) or []
    ours = {row["id"]: row for row in material.predictions.get("tuned", [])}
    pairs = [(row, ours[row["id"]]) for row in theirs if row["id"] in ours]
    if not pairs:
        return None
    metric = METRICS[material.kind][numbers.first(material.kind).key]
    before, after = (metric.values([pair[i] for pair in pairs]) for i in (0, 1))
    gain = bootstrap.paired_gain(before, after, options, metric.statistic)
    p = paired.p_value(before, after, options, metric.statistic)
    found = Lead(gain.mean, gain.low, gain.high, p)
    return found if metric.higher_is_better else found.seen_from_behind()


def per_row(material: Material, row: Row) -> float:
    """A row's part of the first metric."""
    return row[METRICS[material.kind][numbers.first(material.kind).key].columns[0]]


def _ends(scores: Metrics, key: str) -> tuple[float, float]:
    ends = scores.get("interval", {}).get(key)
    return (ends["low"], ends["high"]) if ends else (scores[key], scores[key])
