"""Scores of single rows: pairs of both models' predictions, and how the scores spread."""

from collections.abc import Sequence

from finetune.reporting import canvas, figures, leaderboard
from finetune.reporting.artifacts import Row, TaskArtifacts
from finetune.reporting.parts import Figure
from finetune.scoring.metrics import answered, imputed


def paired(artifacts: TaskArtifacts) -> list[tuple[Row, Row]]:
    """(base, tuned) of each row that both predicted."""
    tuned = {row["id"]: row for row in artifacts.predictions.get("tuned", [])}
    bases = artifacts.predictions.get("base", [])
    return [(row, tuned[row["id"]]) for row in bases if row["id"] in tuned]


def both_answered(artifacts: TaskArtifacts) -> list[tuple[Row, Row]]:
    """(base, tuned) of each row with nothing imputed that the primary metric counts.

    None where either has no scores.
    """
    if {"base", "tuned"} & {entry.role for entry in leaderboard.silent(artifacts)}:
        return []
    return [
        pair
        for pair in paired(artifacts)
        if not any(imputed(artifacts.kind.flags, row) for row in pair)
        and all(artifacts.primary.counts(row) for row in pair)
    ]


def answered_rows(artifacts: TaskArtifacts, role: str) -> Sequence[Row]:
    """A model's predictions of the rows that it answered, and that the primary metric counts."""
    return [
        row
        for row in artifacts.predictions.get(role, [])
        if answered(artifacts.kind.flags, row) and artifacts.primary.counts(row)
    ]


def score_histograms(
    name: str, artifacts: TaskArtifacts, limits: tuple[float, float] | None = None
) -> list[Figure]:
    """How the primary metric spreads over the test rows, for both models; for kinds to show.

    Over the rows that each answered, in one figure; none where there are no such rows. `limits`
    are the ends of the axis, unless a row lies beyond them, as of another primary metric.
    """
    metric = artifacts.primary
    series = {
        label: [metric.of_row(row) for row in rows]
        for role, label in canvas.LABELS.items()
        if (rows := answered_rows(artifacts, role))
    }
    if not series:
        return []
    every = [value for values in series.values() for value in values]
    if limits and not limits[0] <= min(every) <= max(every) <= limits[1]:
        limits = None
    means = "; ".join(
        f"{label} mean {metric.number(sum(values) / len(values))}"
        for label, values in series.items()
    )
    title = f"{artifacts.task}: {metric.title} of rows; {means}"
    svg = figures.histogram(
        f"{name}-rows", title, series, f"{metric.title} of a row", limits=limits
    )
    return [Figure("Row by row", f"How {metric.title} spreads over the test rows.", svg)]
