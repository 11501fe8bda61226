"""Where a model is good and where it is bad: rows, groups, prices, calibration, examples."""

from dataclasses import dataclass, field

from finetune.reporting import canvas, dots, examples, facts, figures, numbers, sentences, standings
from finetune.reporting.dots import Line, Mark
from finetune.reporting.examples import Miss, Summary
from finetune.reporting.facts import Table
from finetune.reporting.material import Material, Row
from finetune.reporting.numbers import Measure
from finetune.reporting.parts import Figure, Part, difference
from finetune.tasks.groups import LEAST_ROWS, NO_CATEGORY

GROUPINGS = {"length": "by length", "category": "by category", "price": "by price"}
# Groups that a figure has room for; a table holds the others.
MOST_GROUPS = 12


@dataclass(frozen=True)
class Quality(Part):
    """Where a model is good and where it is bad."""

    summaries: list[Summary] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)
    estimates: Table | None = None
    groups: Table | None = None
    flags: Table | None = None


def quality(name: str, material: Material, measure: Measure) -> Quality:
    """All of the section for one task."""
    tuned = material.predictions.get("tuned", [])
    flags = facts.flags(material.metrics)
    found = Quality(
        summaries=examples.summaries(material) if material.kind == "summarization" else [],
        misses=examples.misses(material) if material.kind == "price" else [],
        estimates=_estimates(material, measure),
        groups=_groups_table(material),
        flags=flags if flags.rows else None,
    )
    pairs = _paired(material)
    if not tuned:
        found.missing.append("No predictions of the tuned model were there to look at.")
        return found
    found.notes.append(
        sentences.wins(
            [tuple(standings.per_row(material, row) for row in pair) for pair in pairs],
            measure.higher_is_better,
        )
    )
    told = _weak_groups(material, measure)
    if told:
        found.notes.append(told)
    if material.kind == "price":
        _add_prices(name, material, found)
    else:
        _add_distribution(name, material, measure, found)
    _add_groups(name, material, measure, found)
    if material.kind == "price":
        _add_coverage(name, material, found)
    return found


def _paired(material: Material) -> list[tuple[Row, Row]]:
    """(base, tuned) of each row that both predicted."""
    tuned = {row["id"]: row for row in material.predictions.get("tuned", [])}
    bases = material.predictions.get("base", [])
    return [(row, tuned[row["id"]]) for row in bases if row["id"] in tuned]


def _add_distribution(name: str, material: Material, measure: Measure, quality: Quality) -> None:
    series = {
        label: [standings.per_row(material, row) for row in material.predictions.get(role, [])]
        for role, label in canvas.LABELS.items()
    }
    series = {label: values for label, values in series.items() if values}
    means = "; ".join(f"{label} mean {sum(v) / len(v):.1f}" for label, v in series.items())
    svg = figures.histogram(
        f"{name}-rows", f"{material.task}: {measure.title} of rows; {means}", series,
        f"{measure.title} of a row", limits=(0, 100),
    )  # fmt: skip
    quality.figures.append(
        Figure("Row by row", f"How {measure.title} spreads over the test rows.", svg)
    )


def _add_prices(name: str, material: Material, quality: Quality) -> None:
    predictions = {role: material.predictions.get(role, []) for role in ("tuned", "base")}
    prices = [row["reference"] for rows in predictions.values() for row in rows]
    positive = [price for price in prices if price > 0]
    if positive:
        limits = (min(positive) / 1.5, max(positive) * 1.5)
        for role, rows in predictions.items():
            if not rows:
                continue
            pairs = [(row["reference"], row["prediction"]) for row in rows]
            within = sum(a / 2 <= p <= a * 2 for a, p in pairs)
            outside = sum(not limits[0] <= p <= limits[1] for _, p in pairs)
            caption = (
                f"{numbers.share(within, len(pairs))} within half and double the price (the band)."
            )
            if outside:
                caption += f" {numbers.number(outside, 0)} beyond the axis are drawn at its edge."
            if len(pairs) > figures.MOST_POINTS:
                caption += f" At most {figures.MOST_POINTS} rows are drawn, evenly chosen."
            mute = sum(bool(row.get("unparsable")) for row in rows)
            if mute:
                caption += f" {numbers.share(mute, len(rows))} are no answer: the median of train."
            label = canvas.LABELS[role]
            svg = figures.scatter(
                f"{name}-predicted-{role}",
                f"{material.task}: predicted over actual prices, {label}: {caption}",
                pairs,
                role,
                limits,
            )
            quality.figures.append(Figure(f"Predicted and actual: {label}", caption, svg))
    else:
        quality.missing.append("No true price is above zero, so none is drawn.")


def _add_coverage(name: str, material: Material, quality: Quality) -> None:
    pits = {
        role: [
            row["pit"]
            for row in material.predictions.get(role, [])
            # Where there is no answer, there is no distribution that could be calibrated.
            if row.get("pit") is not None and not row.get("unparsable")
        ]
        for role in ("tuned", "base")
    }
    pits = {role: values for role, values in pits.items() if values}
    said = sentences.coverage(material.metrics.get("tuned", {}))
    if pits:
        svg = figures.coverage(
            f"{name}-coverage",
            f"{material.task}: calibration of the predicted prices. {said}",
            pits,
        )
        caption = (
            f"{said} Below the dashed diagonal a model is overconfident, above it underconfident."
        ).strip()
        quality.figures.append(
            Figure("Calibration: do its intervals hold what they say?", caption, svg)
        )
    else:
        quality.missing.append("Predictions hold no `pit`, so calibration is not shown.")


def _add_groups(name: str, material: Material, measure: Measure, quality: Quality) -> None:
    if not material.groups:
        quality.missing.append("No groups.tsv was written, so nothing is shown by groups.")
        return
    for by in dict.fromkeys(row["by"] for row in material.groups):
        rows = [row for row in material.groups if row["by"] == by]
        labels = list(dict.fromkeys(row["group"] for row in rows))
        if by == "category" and labels == [NO_CATEGORY]:
            continue
        largest = sorted(labels, key=lambda g: -max(_size(r) for r in rows if r["group"] == g))
        shown = set(largest[:MOST_GROUPS])
        lines = [
            line
            for label in labels
            if label in shown and (line := _group_line(label, rows, measure))
        ]
        heading = f"{measure.title.capitalize() if measure.unit == 'USD' else measure.title} "
        heading += GROUPINGS.get(by, f"by {by}")
        if not lines:
            quality.missing.append(f"{heading}: no group has a score.")
            continue
        told = "; ".join(f"{line.label}: {line.value}" for line in lines)
        svg = dots.dots(
            f"{name}-by-{len(quality.figures)}",
            f"{material.task}, {heading}, tuned: {told}",
            lines,
            f"{measure.title} ({measure.unit}), {measure.direction}", canvas.PANEL[0],
        )  # fmt: skip
        more = len(labels) - len(lines)
        captions = [f"The {len(lines)} largest of {len(labels)} groups."] if more else []
        if any(row.get(f"{measure.key}_low") is None for row in rows):
            captions.append(f"Groups of fewer than {LEAST_ROWS} rows have no interval.")
        quality.figures.append(Figure(heading, " ".join(captions), svg))
    named = {row["group"] for row in material.groups if row["by"] == "category"}
    if material.kind == "price" and named <= {NO_CATEGORY}:
        quality.missing.append("No row has a category, so nothing is shown by category.")


def _weak_groups(material: Material, measure: Measure) -> str:
    """Where the tuned model does worst, and where worse than the base model."""
    by_model = {
        model: {
            (row["by"], row["group"]): row
            for row in material.groups
            if row["model"] == model and row.get(measure.key) is not None
        }
        for model in ("base", "tuned")
    }
    sign = 1 if measure.higher_is_better else -1
    tuned = by_model["tuned"]
    losing = [
        (row["group"], measure.number(row[measure.key]), measure.number(base[measure.key]),
         int(_size(row)))
        for key, row in tuned.items()
        if (base := by_model["base"].get(key))
        and sign * (row[measure.key] - base[measure.key]) < 0
    ]  # fmt: skip
    weakest = min(tuned.values(), key=lambda row: sign * row[measure.key], default=None)
    return sentences.groups(
        losing, weakest and (weakest["group"], measure.amount(weakest[measure.key]))
    )


def _size(row: Row) -> float:
    return row.get("rows") or 0


def _group_line(label: str, rows: list[Row], measure: Measure) -> Line | None:
    marks, value, size = [], "", 0.0
    for role in ("base", "tuned"):
        row = next((r for r in rows if r["group"] == label and r["model"] == role), None)
        score = row.get(measure.key) if row else None
        if row is None or score is None:
            continue
        ends = [row.get(f"{measure.key}_{end}") for end in ("low", "high")]
        low, high = (score if end is None else end for end in ends)
        marks.append(Mark(role, score, low, high))
        size = max(size, _size(row))
        if role == "tuned":
            value = measure.number(score)
    count = f"{numbers.number(size, 0)} row{'' if size == 1 else 's'}"
    return Line(label, count, value, tuple(marks)) if marks else None


def _groups_table(material: Material) -> Table | None:
    """Scores of each group and model; those that come with an interval have it beside them."""
    if not material.groups:
        return None
    others = ("by", "group", "model", "rows")
    measures = [
        numbers.measure(material.kind, name)
        for name in material.groups[0]
        if name not in others and not name.endswith(("_low", "_high"))
    ]
    return Table(
        ["group", "by", "model", "rows", *(measure.title for measure in measures)],
        [
            [
                *(row[name] for name in ("group", "by", "model")),
                numbers.number(row["rows"], 0),
                *(_group_cell(row, measure) for measure in measures),
            ]
            for row in material.groups
        ],
    )


def _group_cell(row: Row, measure: Measure) -> str:
    low, high = (row.get(f"{measure.key}_{end}") for end in ("low", "high"))
    text = measure.number(row.get(measure.key))
    return text if low is None or high is None else f"{text} {measure.ends(low, high)}"


def _estimates(material: Material, measure: Measure) -> Table | None:
    estimates = material.metrics.get("tuned", {}).get("estimates")
    if not estimates:
        return None
    rows = []
    for name, scores in estimates.items():
        cell = f"{measure.number(scores['mae'])} {measure.ends(scores['low'], scores['high'])}"
        rows.append([name.replace("_", " "), cell, difference(scores.get("difference"), measure)])
    return Table(["estimate", "MAE (USD)", "− the median's"], rows)
