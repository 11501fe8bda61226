"""All numbers of a task, as the page lists them beneath its leaderboard."""

from collections.abc import Mapping

from markupsafe import Markup

from finetune.core.schema import Bootstrap, Task
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.facts import Facts
from finetune.reporting.leaderboard import LeaderboardEntry
from finetune.reporting.parts import Table, difference
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric

# Not to be broken between lines.
SCORE = Markup('<span class="score">{} {}</span>')


def scores(artifacts: TaskArtifacts, entries: list[LeaderboardEntry]) -> Table:
    """All metrics of all that was scored, each with its interval.

    Beside the primary one stands its score over the validation rows; numbers of test rows only
    where they differ.
    """
    primary, *others = _scored(artifacts, entries)
    is_partial = any(entry.is_partial for entry in entries)
    rows = [
        [
            f"{entry.name} (oracle)" if entry.role == "oracle" else entry.name,
            *([numbers.number(entry.rows, 0)] if is_partial else []),
            _cell(entry, primary),
            primary.number(entry.scores.get("validation", {}).get(primary.key)),
            *(_cell(entry, metric) for metric in others),
        ]
        for entry in entries
    ]
    heads = [_head(primary), "validation", *(_head(metric) for metric in others)]
    return Table(["", *(["rows"] if is_partial else []), *heads], rows)


def draws(artifacts: TaskArtifacts, entries: list[LeaderboardEntry]) -> Table:
    """The smallest and the largest score of each model that several draws were made of."""
    drawn = [entry for entry in entries if "draws" in entry.scores]
    metrics = [
        metric
        for metric in artifacts.kind.metrics
        if any(metric.key in entry.scores["draws"] for entry in drawn)
    ]
    rows = [
        [
            f"{entry.name}, {entry.scores['draws']['n']} draws of {entry.scores['draws']['of']}",
            *(_range(entry.scores["draws"].get(metric.key), metric) for metric in metrics),
        ]
        for entry in drawn
    ]
    return Table(["over draws", *map(_head, metrics)], rows)


def _range(of: Mapping[str, float] | None, metric: Metric) -> str:
    if of is None:
        return "–"
    low, high = metric.number(of["low"]), metric.number(of["high"])
    return low if low == high else f"{low} to {high}"


def _scored(artifacts: TaskArtifacts, entries: list[LeaderboardEntry]) -> list[Metric]:
    """The metrics that some entry has, the primary one first."""
    return [
        metric
        for metric in artifacts.kind.metrics
        if any(metric.key in entry.scores for entry in entries)
    ]


def _head(metric: Metric) -> str:
    return metric.title if metric.unit in ("", "points") else metric.heading


def _cell(entry: LeaderboardEntry, metric: Metric) -> str:
    ends = entry.scores.get("interval", {}).get(metric.key)
    text = metric.number(entry.scores.get(metric.key))
    return f"{text} {metric.ends(ends['low'], ends['high'])}" if ends else text


def gains(artifacts: TaskArtifacts, bootstrap: Bootstrap) -> Table:
    """The paired difference tuned − base in each metric, with its interval and its p-value."""
    least = 1 / (bootstrap.resamples + 1)
    rows = []
    for key, gain in artifacts.metrics.get("tuned", {}).get("gain", {}).items():
        metric = artifacts.metric(key)
        p = gain.get("p")
        p_text = "–" if p is None else f"≤ {least:.1g}" if p <= 1.01 * least else f"{p:.2g}"
        rows.append([metric.heading, difference(gain, metric), p_text])
    return Table(["tuned − base, paired", "difference", "p (permutation)"], rows)


def meanings(artifacts: TaskArtifacts, entries: list[LeaderboardEntry]) -> Facts:
    """What the columns of `scores` mean, by their titles."""
    primary = artifacts.primary
    validation = f"{primary.title} over the validation rows, by which experiments are chosen"
    titled = [(m.title, m.meaning) for m in _scored(artifacts, entries) if m.meaning]
    return [*titled[:1], ("validation", validation), *titled[1:]]


def published(artifacts: TaskArtifacts, options: Task) -> Table:
    """Others' figures with how they were measured."""
    rows = [
        [
            item.name,
            Markup(", ").join(
                SCORE.format(artifacts.metric(key).title, value)
                for key, value in item.scores.items()
            ),
            item.protocol,
            item.source,
        ]
        for item in options.published
    ]
    return Table(["system", "scores", "protocol", "source"], rows)
