"""All numbers of a task, as the page lists them beneath its leaderboard."""

from collections.abc import Mapping

from markupsafe import Markup

from finetune.core.schema import Task
from finetune.reporting import leaderboard
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.facts import Facts
from finetune.reporting.leaderboard import LeaderboardEntry, SilentEntry
from finetune.reporting.parts import Table, difference
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric

# Not to be broken between lines.
SCORE = Markup('<span class="score">{} {}</span>')


def scores(artifacts: TaskArtifacts, entries: list[LeaderboardEntry]) -> Table:
    """All metrics of all that was scored, each with its interval.

    Beside the primary one stands its score over the validation rows; numbers of test rows only
    where they differ, and only where some row has no answer, how many and the primary score over
    the others.
    """
    primary, *others = _scored(artifacts, entries) or [artifacts.primary]
    is_partial = any(entry.is_partial for entry in entries)
    board = _board(artifacts, entries)
    lacks_answers = any(entry.scores.get("no_answer") for entry in board)
    rows = [
        [
            f"{entry.name} (oracle)" if entry.role == "oracle" else entry.name,
            *([numbers.number(entry.rows, 0)] if is_partial else []),
            _cell(entry, primary),
            *(_answers(entry, primary) if lacks_answers else []),
            primary.number(entry.scores.get("validation", {}).get(primary.key)),
            *(_cell(entry, metric) for metric in others),
        ]
        for entry in board
    ]
    answers = ["no answer", "where answered"] if lacks_answers else []
    heads = [_head(primary), *answers, "validation", *(_head(metric) for metric in others)]
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


def _board(
    artifacts: TaskArtifacts, entries: list[LeaderboardEntry]
) -> list[LeaderboardEntry | SilentEntry]:
    """Those with scores, then those without."""
    return [*entries, *leaderboard.silent(artifacts)]


def _answers(entry: LeaderboardEntry | SilentEntry, metric: Metric) -> list[str]:
    """How many rows have no answer, and a metric's score over the others where it has one."""
    count = entry.scores.get("no_answer")
    if count is None:
        return ["–", "–"]
    rate = numbers.share(count, entry.rows) if count else "0"
    of_answered = entry.scores.get("answered", {}).get(metric.key)
    return [rate, metric.number(of_answered)]


def _scored(artifacts: TaskArtifacts, entries: list[LeaderboardEntry]) -> list[Metric]:
    """The metrics that some entry has, the primary one first."""
    return [
        metric
        for metric in artifacts.kind.metrics
        if any(metric.key in entry.scores for entry in entries)
    ]


def _head(metric: Metric) -> str:
    return metric.title if metric.unit in ("", "points") else metric.heading


def _cell(entry: LeaderboardEntry | SilentEntry, metric: Metric) -> str:
    ends = entry.scores.get("interval", {}).get(metric.key)
    text = metric.number(entry.scores.get(metric.key))
    return f"{text} {metric.ends(ends['low'], ends['high'])}" if ends else text


def gains(artifacts: TaskArtifacts) -> Table:
    """The paired difference tuned − base in each metric, with its interval and its rows."""
    rows = []
    for key, gain in artifacts.metrics.get("tuned", {}).get("gain", {}).items():
        metric = artifacts.metric(key)
        rows.append([metric.heading, difference(gain, metric), numbers.number(gain.get("n"), 0)])
    return Table(["tuned − base, paired", "difference", "rows that both answered"], rows)


def meanings(artifacts: TaskArtifacts, entries: list[LeaderboardEntry]) -> Facts:
    """What the columns of `scores` mean, by their titles."""
    primary = artifacts.primary
    validation = f"{primary.title} over the validation rows, by which experiments are chosen"
    titled = [(m.title, m.meaning) for m in _scored(artifacts, entries) if m.meaning]
    meant = [*titled[:1], ("validation", validation), *titled[1:]]
    if any(entry.scores.get("no_answer") for entry in _board(artifacts, entries)):
        meant.append(("where answered", f"{primary.title} over the rows that it answered"))
    return meant


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
