"""Scores of single rows: pairs of both models' predictions, and how the scores spread."""

from finetune.reporting import canvas, figures
from finetune.reporting.artifacts import Row, TaskArtifacts
from finetune.reporting.parts import Figure


def paired(artifacts: TaskArtifacts) -> list[tuple[Row, Row]]:
    """(base, tuned) of each row that both predicted."""
    tuned = {row["id"]: row for row in artifacts.predictions.get("tuned", [])}
    bases = artifacts.predictions.get("base", [])
    return [(row, tuned[row["id"]]) for row in bases if row["id"] in tuned]


def score_histogram(
    name: str, artifacts: TaskArtifacts, limits: tuple[float, float] | None = None
) -> Figure:
    """How the primary metric spreads over the test rows, for both models; for kinds to show.

    `limits` are the ends of the axis, where the metric has such.
    """
    metric = artifacts.primary
    series = {
        label: [metric.of_row(row) for row in rows]
        for role, label in canvas.LABELS.items()
        if (rows := artifacts.predictions.get(role))
    }
    means = "; ".join(
        f"{label} mean {metric.number(sum(values) / len(values))}"
        for label, values in series.items()
    )
    title = f"{artifacts.task}: {metric.title} of rows; {means}"
    svg = figures.histogram(
        f"{name}-rows", title, series, f"{metric.title} of a row", limits=limits
    )
    return Figure("Row by row", f"How {metric.title} spreads over the test rows.", svg)
