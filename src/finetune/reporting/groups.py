"""Scores by groups of test rows: figures, a table, and where the tuned model is weak."""

from finetune.reporting import canvas, dots, leaderboard, sentences
from finetune.reporting.artifacts import Row, TaskArtifacts
from finetune.reporting.dots import Line, Mark
from finetune.reporting.parts import Figure, Part, Table, counted
from finetune.scoring import numbers
from finetune.scoring.groups import MIN_ROWS
from finetune.scoring.metrics import Metric

# Groups that a figure has space for; a table holds the others.
MOST_GROUPS = 12


def groups(name: str, artifacts: TaskArtifacts) -> Part:
    """A figure for each grouping, and a sentence on the weak groups."""
    if not artifacts.groups:
        return Part(missing=["No groups.tsv was written, so nothing is shown by groups."])
    weak = _weak_groups(artifacts)
    part = Part(notes=[weak] if weak else [])
    for number, grouping in enumerate(artifacts.kind.groupings, 1):
        rows = [row for row in artifacts.groups if row["by"] == grouping.name]
        labels = list(dict.fromkeys(row["group"] for row in rows))
        if len(labels) < 2:
            place = f" ({labels[0]})" if labels else ""
            part.missing.append(f"By {grouping.name} there are no groups to compare{place}.")
            continue
        _add_figure(f"{name}-groups-{number}", artifacts, grouping.name, rows, labels, part)
    return part


def _add_figure(
    name: str, artifacts: TaskArtifacts, by: str, rows: list[Row], labels: list[str], part: Part
) -> None:
    """Both models' primary scores of the largest groups, in the groups' own order."""
    metric = artifacts.primary
    heading = f"{metric.title[0].upper()}{metric.title[1:]} by {by}"
    largest = sorted(labels, key=lambda g: -max(_size(r) for r in rows if r["group"] == g))
    shown = set(largest[:MOST_GROUPS])
    lines = [line for label in labels if label in shown and (line := _line(label, rows, metric))]
    if not lines:
        part.missing.append(f"{heading}: no group has a score.")
        return
    scores = "; ".join(f"{line.label}: {line.value}" for line in lines)
    title = f"{artifacts.task}, {heading}, tuned: {scores}"
    axis = f"{metric.heading}, {metric.direction}"
    svg = dots.dots(name, title, lines, axis, canvas.PANEL[0])
    captions = []
    if len(labels) > len(shown):
        captions.append(f"The {len(shown)} largest of {len(labels)} groups.")
    scored = [row for row in rows if row.get(metric.key) is not None]
    if any(_size(row) < MIN_ROWS for row in scored):
        captions.append(f"Groups of fewer than {MIN_ROWS} rows have no interval.")
    without = {row["model"] for row in rows if row not in scored}
    # A model without scores may answer all rows of some group.
    not_answering = {row["model"] for row in rows if row.get("no_answer_rate")}
    if silent := sorted(without & not_answering):
        captions.append(f"No score where too few rows have an answer: {', '.join(silent)}.")
    if without - not_answering:
        captions.append("No score where no row counts.")
    part.figures.append(Figure(heading, " ".join(captions), svg))


def _line(label: str, rows: list[Row], metric: Metric) -> Line | None:
    marks, value, size = [], "", 0.0
    for role in ("base", "tuned"):
        row = next((r for r in rows if r["group"] == label and r["model"] == role), None)
        score = row.get(metric.key) if row else None
        if row is None or score is None:
            continue
        ends = [row.get(f"{metric.key}_{end}") for end in ("low", "high")]
        low, high = (score if end is None else end for end in ends)
        marks.append(Mark(role, score, low, high))
        size = max(size, _size(row))
        if role == "tuned":
            value = metric.number(score)
    return Line(label, counted(size), value, tuple(marks)) if marks else None


def _weak_groups(artifacts: TaskArtifacts) -> str:
    """Where the tuned model does worst, and where worse than the base model."""
    metric = artifacts.primary
    sign = leaderboard.sign(metric)
    base, tuned = (
        {
            (row["by"], row["group"]): row
            for row in artifacts.groups
            if row["model"] == model and row.get(metric.key) is not None
        }
        for model in ("base", "tuned")
    )
    losing = [
        (
            row["group"],
            metric.number(row[metric.key]),
            metric.number(base[group][metric.key]),
            int(_size(row)),
        )
        for group, row in tuned.items()
        if group in base and sign * (row[metric.key] - base[group][metric.key]) < 0
    ]
    weakest = min(tuned.values(), key=lambda row: sign * row[metric.key], default=None)
    return sentences.groups(
        losing,
        (weakest["group"], metric.amount(weakest[metric.key])) if weakest else None,
        compared=bool(base),
    )


def table(artifacts: TaskArtifacts) -> Table | None:
    """Scores of each group and model; those that come with an interval have it beside them."""
    if not artifacts.groups:
        return None
    others = ("by", "group", "model", "rows")
    metrics = [
        artifacts.metric(name)
        for name in artifacts.groups[0]
        if name not in others and not name.endswith(("_low", "_high"))
    ]
    return Table(
        ["group", "by", "model", "rows", *(metric.title for metric in metrics)],
        [
            [
                *(row[name] for name in ("group", "by", "model")),
                numbers.number(row["rows"], 0),
                *(_cell(row, metric) for metric in metrics),
            ]
            for row in artifacts.groups
        ],
    )


def _cell(row: Row, metric: Metric) -> str:
    low, high = (row.get(f"{metric.key}_{end}") for end in ("low", "high"))
    text = metric.number(row.get(metric.key))
    return text if low is None or high is None else f"{text} {metric.ends(low, high)}"


def _size(row: Row) -> float:
    return row.get("rows") or 0
