"""Baselines and models by the primary metric, and how far ahead of each the tuned model is.

Those that give too few answers have no scores and no place: see `SilentEntry`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from finetune.core.schema import Bootstrap
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.tables import Metrics, no_answer
from finetune.scoring import baselines, paired
from finetune.scoring.intervals import Interval
from finetune.scoring.metrics import Metric, imputed

Model = Literal["base", "few_shot", "tuned"]
Role = Literal["baseline", "oracle"] | Model
MODELS: dict[Model, str] = {"base": "base model", "few_shot": "base, few-shot", "tuned": "tuned"}


@dataclass(frozen=True)
class Lead(Interval):
    """How far the tuned model is ahead, positive being better."""

    def reversed(self) -> "Lead":
        """The same difference as a lead of the other one."""
        return Lead(-self.mean, -self.high, -self.low)


@dataclass(frozen=True, kw_only=True)
class LeaderboardEntry:
    """The primary score of a baseline or model, over `rows` of `test_rows` rows.

    `key` names it in files, `name` is for people. `low` and `high` are None where the rows are too
    few for an interval of this score.
    """

    key: str
    name: str
    role: Role
    scores: Metrics
    score: float
    low: float | None
    high: float | None
    rows: int
    test_rows: int

    def ends(self, metric: Metric) -> str:
        """` [58.0, 60.9]`, as it follows the score; empty without an interval."""
        if self.low is None or self.high is None:
            return ""
        return f" {metric.ends(self.low, self.high)}"

    @property
    def is_partial(self) -> bool:
        """Whether it covers a part of the test rows only."""
        return self.rows < self.test_rows


@dataclass(frozen=True, kw_only=True)
class SilentEntry:
    """A baseline or model without scores, as it answers too few of its `rows`."""

    key: str
    name: str
    role: Role
    scores: Metrics
    no_answer: int
    rows: int

    @property
    def rate(self) -> str:
        """`no answer in 200 of 200 rows`."""
        return no_answer(self.scores)


def sign(metric: Metric) -> int:
    """1 where a higher score is better, else -1."""
    return -1 if metric.higher_is_better is False else 1


def entries(artifacts: TaskArtifacts) -> list[LeaderboardEntry]:
    """All that have a primary score: baselines, then models."""
    key, scored = artifacts.primary.key, _scored(artifacts)
    test_rows = max((scores.get("n", 0) for *_, scores in scored), default=0)
    board = []
    for entry_key, name, role, scores in scored:
        if scores.get(key) is None:
            continue
        ends = scores.get("interval", {}).get(key, {})
        board.append(
            LeaderboardEntry(
                key=entry_key,
                name=name,
                role=role,
                scores=scores,
                score=scores[key],
                low=ends.get("low"),
                high=ends.get("high"),
                rows=scores.get("n", 0),
                test_rows=test_rows,
            )
        )
    return board


def silent(artifacts: TaskArtifacts) -> list[SilentEntry]:
    """All that have no primary score since they answer too few rows: baselines, then models."""
    return [
        SilentEntry(
            key=key,
            name=name,
            role=role,
            scores=scores,
            no_answer=scores["no_answer"],
            rows=scores["n"],
        )
        for key, name, role, scores in _scored(artifacts)
        if scores.get(artifacts.primary.key) is None and scores.get("no_answer")
    ]


def _scored(artifacts: TaskArtifacts) -> list[tuple[str, str, Role, Metrics]]:
    """The key, name, role and metrics of baselines and models."""
    metrics = artifacts.metrics
    scored: list[tuple[str, str, Role, Metrics]] = [
        (name, name, "oracle" if scores.get("protocol", {}).get("oracle") else "baseline", scores)
        for name, scores in metrics.get("baselines", {}).items()
    ]
    scored += [
        (role, name, role, metrics[role]) for role, name in MODELS.items() if metrics.get(role)
    ]
    return scored


Entry = TypeVar("Entry", LeaderboardEntry, SilentEntry)


def by_role(entries: Sequence[Entry], role: Role) -> Entry | None:
    """The first of a role."""
    return next((entry for entry in entries if entry.role == role), None)


def ranked(entries: Sequence[LeaderboardEntry], metric: Metric) -> list[LeaderboardEntry]:
    """Best first."""
    return sorted(entries, key=lambda entry: -sign(metric) * entry.score)


def best_baseline(entries: Sequence[LeaderboardEntry], metric: Metric) -> LeaderboardEntry | None:
    """The baseline of the best validation score; see `scoring.baselines.best`."""
    by_key = {e.key: e for e in entries if e.role in ("baseline", "oracle")}
    key = baselines.best({key: e.scores for key, e in by_key.items()}, metric)
    return by_key[key] if key else None


def lead(artifacts: TaskArtifacts, entry: LeaderboardEntry, options: Bootstrap) -> Lead | None:
    """How far the tuned model is *ahead* of another in the primary metric.

    Over the rows with nothing imputed; positive is better, whichever way the metric points. None
    where there are none, or fewer than the metric takes.
    """
    predictions = artifacts.predictions if entry.role in MODELS else artifacts.baselines
    tuned = {row["id"]: row for row in artifacts.predictions.get("tuned", [])}
    others = predictions.get(entry.key, [])
    flags = artifacts.kind.flags
    pairs = [
        (row, tuned[row["id"]])
        for row in others
        if row["id"] in tuned and not (imputed(flags, row) or imputed(flags, tuned[row["id"]]))
    ]
    metric = artifacts.primary
    if len(pairs) < metric.min_rows:
        return None
    before, after = (metric.values([pair[i] for pair in pairs]) for i in (0, 1))
    gain = paired.paired_gain(before, after, options, metric.statistic, metric.is_rate)
    difference = Lead(gain.mean, gain.low, gain.high)
    return difference if sign(metric) > 0 else difference.reversed()
