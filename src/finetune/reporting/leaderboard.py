"""Baselines and models by the primary metric, and how far ahead of each the tuned model is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finetune.core.schema import Bootstrap
from finetune.reporting import tables
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.tables import Metrics
from finetune.scoring import bootstrap, paired
from finetune.scoring.bootstrap import Interval
from finetune.scoring.metrics import Metric

Model = Literal["base", "few_shot", "tuned"]
Role = Literal["baseline", "oracle"] | Model
MODELS: dict[Model, str] = {"base": "base model", "few_shot": "base, few-shot", "tuned": "tuned"}


@dataclass(frozen=True)
class Lead(Interval):
    """How far the tuned model is ahead, positive being better, with the difference's p-value."""

    p: float

    def reversed(self) -> "Lead":
        """The same difference as a lead of the other one."""
        return Lead(-self.mean, -self.high, -self.low, self.p)


@dataclass(frozen=True, kw_only=True)
class LeaderboardEntry:
    """The primary score of a baseline or model, over `rows` of `test_rows` rows.

    `key` names it in files, `name` is for people.
    """

    key: str
    name: str
    role: Role
    scores: Metrics
    score: float
    low: float
    high: float
    rows: int
    test_rows: int

    @property
    def is_partial(self) -> bool:
        """Whether it covers a part of the test rows only."""
        return self.rows < self.test_rows


def sign(metric: Metric) -> int:
    """1 where a higher score is better, else -1."""
    return -1 if metric.higher_is_better is False else 1


def entries(artifacts: TaskArtifacts) -> list[LeaderboardEntry]:
    """All that have a primary score: baselines, then models."""
    metrics, key = artifacts.metrics, artifacts.primary.key
    scored: list[tuple[str, str, Role, Metrics]] = [
        (name, name, "oracle" if scores.get("protocol", {}).get("oracle") else "baseline", scores)
        for name, scores in metrics.get("baselines", {}).items()
    ]
    scored += [
        (role, name, role, metrics[role]) for role, name in MODELS.items() if metrics.get(role)
    ]
    test_rows = max((scores.get("n", 0) for *_, scores in scored), default=0)
    board = []
    for entry_key, name, role, scores in scored:
        if scores.get(key) is None:
            continue
        ends = scores.get("interval", {}).get(key, {"low": scores[key], "high": scores[key]})
        board.append(
            LeaderboardEntry(
                key=entry_key,
                name=name,
                role=role,
                scores=scores,
                score=scores[key],
                low=ends["low"],
                high=ends["high"],
                rows=scores.get("n", 0),
                test_rows=test_rows,
            )
        )
    return board


def by_role(entries: Sequence[LeaderboardEntry], role: Role) -> LeaderboardEntry | None:
    """The first of a role."""
    return next((entry for entry in entries if entry.role == role), None)


def ranked(entries: Sequence[LeaderboardEntry], metric: Metric) -> list[LeaderboardEntry]:
    """Best first."""
    return sorted(entries, key=lambda entry: -sign(metric) * entry.score)


def best_baseline(entries: Sequence[LeaderboardEntry], metric: Metric) -> LeaderboardEntry | None:
    """The baseline of the best validation score; see `tables.best_baseline`."""
    baselines = {e.key: e for e in entries if e.role in ("baseline", "oracle")}
    best = tables.best_baseline({key: e.scores for key, e in baselines.items()}, metric)
    return baselines[best] if best else None


def lead(artifacts: TaskArtifacts, entry: LeaderboardEntry, options: Bootstrap) -> Lead | None:
    """How far the tuned model is *ahead* of another in the primary metric, over the rows of both.

    Positive is better, whichever way the metric points. None where the rows are not there.
    """
    predictions = artifacts.predictions if entry.role in MODELS else artifacts.baselines
    tuned = {row["id"]: row for row in artifacts.predictions.get("tuned", [])}
    others = predictions.get(entry.key, [])
    pairs = [(row, tuned[row["id"]]) for row in others if row["id"] in tuned]
    if not pairs:
        return None
    metric = artifacts.primary
    before, after = (metric.values([pair[i] for pair in pairs]) for i in (0, 1))
    gain = bootstrap.paired_gain(before, after, options, metric.statistic)
    p = paired.p_value(before, after, options, metric.statistic)
    difference = Lead(gain.mean, gain.low, gain.high, p)
    return difference if sign(metric) > 0 else difference.reversed()
