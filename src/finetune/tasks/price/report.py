"""What the report shows of prices: predicted against actual ones, calibration, worst misses."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from markupsafe import Markup

from finetune.core.schema import Prompt, Train
from finetune.reporting import canvas, figures, rows, tables, templates
from finetune.reporting.artifacts import Row, TaskArtifacts
from finetune.reporting.examples import shortened
from finetune.reporting.parts import Figure, KindQuality, KindReport, Series, Table, difference
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric
from finetune.tasks.price.options import Answer, answer_to

MISSES = 6
# Characters of a description that are shown: a heading and some lines of it.
LONGEST_DESCRIPTION = 280
WHO = {
    "base": "the base model",
    "few_shot": "the base model with examples",
    "tuned": "the tuned model",
}
# The levels of central intervals whose coverage is a metric.
LEVELS = (50, 90)


@dataclass(frozen=True, kw_only=True)
class Miss:
    """A product, what it costs, and what both models predicted; None for no answer."""

    id: str
    text: str
    category: str | None
    actual: float
    predicted: float
    base: float | None
    error: float
    base_error: float | None
    base_has_answer: bool


def _loss(answer: Answer, train: Train) -> str:
    loss = "Cross-entropy of an answer's tokens, in nats per token"
    weight = getattr(train, "number_loss", 0)
    if not weight:
        return f"{loss}."
    return (
        f"{loss}; where prices are single tokens, plus {weight:g} times the expected error in "
        f"{100 * answer.unit:,.9g} {answer.currency}; where they are several, what "
        "number_loss_form says."
    )


def _notes(artifacts: TaskArtifacts) -> list[str]:
    """What models that give no price say instead, and the mass on no price of the tuned one."""
    return [
        *_instead(artifacts),
        *_outside(artifacts),
        *_continued(artifacts),
    ]


def _instead(artifacts: TaskArtifacts) -> list[str]:
    """How much of a model's probability is on no price where it has no answer."""
    silent = {
        who: [
            row["outside"]
            for row in artifacts.predictions.get(role, [])
            if row.get("unparsable") and "outside" in row
        ]
        for role, who in WHO.items()
    }
    return [
        f"Where {who} has no answer, {_percent(fmean(masses))} of its probability on average lies "
        "on what is no price; where scores are shown, such a row counts as the median of train."
        for who, masses in silent.items()
        if masses
    ]


def _outside(artifacts: TaskArtifacts) -> list[str]:
    """What mass on no price is, how it goes with the price, and what it costs once charged."""
    tuned = artifacts.metrics.get("tuned", {})
    plain, charged = artifacts.metric("crps"), artifacts.metric("crps_charged")
    if not {"outside", plain.key, charged.key} <= tuned.keys():
        return []
    bands = [
        (row["group"], row["outside"])
        for row in artifacts.groups
        if (row["by"], row["model"]) == ("price", "tuned") and row.get("outside") is not None
    ]
    by_price = ""
    if len(bands) > 1:
        (low, first), (high, last) = bands[0], bands[-1]
        by_price = f", {_percent(first)} at {low} and {_percent(last)} at {high}"
    return [
        "Mass on no price is the probability of answers that are none of the prices that can be "
        "answered: "
        f"{_percent(tuned['outside'])} for the tuned model{by_price}. CRPS leaves it out, and is "
        f"{plain.amount(tuned[plain.key])}; charged as if it stood at the worst price for it, it "
        f"is {charged.amount(tuned[charged.key])}."
    ]


def _continued(artifacts: TaskArtifacts) -> list[str]:
    """How many answers are probably the beginning of a longer number."""
    scored = {who: artifacts.metrics.get(role, {}) for role, who in WHO.items()}
    return [
        f"In {numbers.share(scores['continues'], scores['n'])} answers of {who} the likeliest "
        "price is the beginning of a longer number, as 129 is of 1299 or 1 of 1,299: it counts as "
        "that beginning."
        for who, scores in scored.items()
        if scores.get("continues")
    ]


def _percent(value: float) -> str:
    return f"{numbers.number(value, 2)}{numbers.TIGHT}%"


def _remarks(metrics: Mapping[str, Any]) -> list[str]:
    """Errors of the point estimates, for a terminal and the README."""
    estimates = metrics.get("tuned", {}).get("estimates")
    if not estimates:
        return []
    others = ", ".join(
        f"{name} {scores['mae']:.2f} ({tables.signed_with_interval(scores['difference'])})"
        for name, scores in estimates.items()
        if name != "median"
    )
    return [
        "MAE of point estimates from the same tuned distributions, and their difference to the "
        f"median's: median {estimates['median']['mae']:.2f}, {others}."
    ]


def _quality(name: str, artifacts: TaskArtifacts) -> KindQuality:
    scatters, calibration = _scatters(name, artifacts), _calibration(name, artifacts)
    missing = [] if scatters else ["No true price above zero has an answer, so none is drawn."]
    if not calibration:
        missing.append("Predictions hold no `pit`, so calibration is not shown.")
    error = artifacts.metric("mae")
    estimates = _estimates(artifacts.metrics.get("tuned", {}).get("estimates"), error)
    template = Path(__file__).with_name("report.html.j2")
    return KindQuality(
        before_groups=scatters,
        after_groups=[calibration] if calibration else [],
        tables=[estimates] if estimates else [],
        missing=missing,
        examples=Markup(templates.render(template, misses=misses(artifacts), metric=error)),
    )


def _scatters(name: str, artifacts: TaskArtifacts) -> list[Figure]:
    """Predicted over actual prices, a figure for each model that answers.

    None where no price is above zero.
    """
    predictions = {role: artifacts.predictions.get(role, []) for role in ("tuned", "base")}
    prices = [row["reference"] for of in predictions.values() for row in of]
    positive = [price for price in prices if price > 0]
    if not positive:
        return []
    limits = (min(positive) / 1.5, max(positive) * 1.5)
    return [
        _scatter(f"{name}-predicted-{role}", artifacts, role, of, limits)
        for role, of in predictions.items()
        if any(not row.get("unparsable") for row in of)
    ]


def _scatter(
    name: str,
    artifacts: TaskArtifacts,
    role: str,
    predictions: list[Row],
    limits: tuple[float, float],
) -> Figure:
    given = [row for row in predictions if not row.get("unparsable")]
    pairs = [(row["reference"], row["prediction"]) for row in given]
    within = sum(actual / 2 <= predicted <= actual * 2 for actual, predicted in pairs)
    beyond = sum(not limits[0] <= predicted <= limits[1] for _, predicted in pairs)
    unparsable = len(predictions) - len(given)
    captions = [f"{numbers.share(within, len(pairs))} within half and double the price (the band)."]
    if beyond:
        captions.append(f"{numbers.number(beyond, 0)} beyond the axis are drawn at its edge.")
    if len(pairs) > figures.MOST_POINTS:
        captions.append(f"At most {figures.MOST_POINTS} rows are drawn, evenly chosen.")
    if unparsable:
        share = numbers.share(unparsable, len(predictions))
        captions.append(f"{share} rows have no answer and are not drawn.")
    caption, label = " ".join(captions), canvas.LABELS[role]
    title = f"{artifacts.task}: predicted over actual prices, {label}: {caption}"
    svg = figures.scatter(name, title, pairs, role, limits, artifacts.metric("mae").unit)
    return Figure(f"Predicted and actual: {label}", caption, svg)


def _calibration(name: str, artifacts: TaskArtifacts) -> Figure | None:
    """Coverage of central intervals; None where no model gave a distribution."""
    pits = {
        role: [
            row["pit"]
            for row in artifacts.predictions.get(role, [])
            # Where there is no answer, there is no distribution that could be calibrated.
            if row.get("pit") is not None and not row.get("unparsable")
        ]
        for role in ("tuned", "base")
    }
    pits = {role: values for role, values in pits.items() if values}
    if not pits:
        return None
    judged = coverage(artifacts.metrics.get("tuned", {}))
    title = f"{artifacts.task}: calibration of the predicted prices. {judged}"
    svg = figures.coverage(f"{name}-coverage", title, pits)
    legend = "Below the dashed diagonal a model is overconfident, above it underconfident."
    return Figure("Calibration: coverage of intervals", f"{judged} {legend}".strip(), svg)


def coverage(scores: Mapping[str, Any]) -> str:
    """Whether a model's intervals hold as many true prices as they should, in sentences."""
    sentences = [_coverage_at(level, scores) for level in LEVELS if f"coverage_{level}" in scores]
    outside = scores.get("outside")
    if outside is not None:
        sentences.append(
            f"On average {numbers.number(outside, 2)}{numbers.TIGHT}% of its probability lies on "
            "what is no price."
            if outside >= 0.005
            else "None of its probability lies on what is no price."
        )
    return " ".join(sentences)


def _coverage_at(level: int, scores: Mapping[str, Any]) -> str:
    key = f"coverage_{level}"
    nominal, actual = numbers.percent(level / 100), numbers.percent(round(scores[key]) / 100)
    covers = f"The tuned model's {nominal} intervals hold the true price in {actual} of the rows"
    ends = scores.get("interval", {}).get(key)
    if ends is None:
        return f"{covers}."
    if ends["low"] > level:
        return f"{covers}: it is underconfident, they are too wide."
    if ends["high"] < level:
        return f"{covers}: it is overconfident, they are too narrow."
    return f"{covers}: consistent with {nominal}, as far as {scores.get('n', 0)} rows tell."


def _estimates(estimates: Mapping[str, Any] | None, error: Metric) -> Table | None:
    """The error of each point estimate of the tuned model's distributions."""
    if not estimates:
        return None
    listed = [
        [
            name.replace("_", " "),
            f"{error.number(scores['mae'])} {error.ends(scores['low'], scores['high'])}",
            difference(scores.get("difference"), error),
        ]
        for name, scores in estimates.items()
    ]
    return Table(
        ["estimate", f"MAE ({error.unit})", "− the median's"],
        listed,
        "Point estimates of one distribution",
    )


def misses(artifacts: TaskArtifacts) -> list[Miss]:
    """The rows with the largest errors of the tuned model, of those that it answered."""
    answers = rows.answered_rows(artifacts, "tuned")
    by_error = sorted(answers, key=lambda row: -row["absolute_error"])
    products = {row["id"]: row for row in artifacts.rows.get("test", [])}
    bases = {row["id"]: row for row in artifacts.predictions.get("base", [])}
    worst = []
    for row in by_error[:MISSES]:
        product, asked = products.get(row["id"], {}), bases.get(row["id"], {})
        base = {} if asked.get("unparsable") else asked
        worst.append(
            Miss(
                id=str(row["id"]),
                text=shortened(product.get("text", ""), LONGEST_DESCRIPTION),
                category=product.get("category"),
                actual=row["reference"],
                predicted=row["prediction"],
                base=base.get("prediction"),
                error=row["absolute_error"],
                base_error=base.get("absolute_error"),
                base_has_answer=not asked.get("unparsable"),
            )
        )
    return worst


def _report(answer: Answer) -> KindReport:
    price = f"price in {answer.currency}"
    return KindReport(
        description="prices of products",
        series=(
            Series(label="words of a description", value=lambda row: len(row["text"].split())),
            Series(label=price, value=lambda row: row["price"], is_log=True),
        ),
        loss=functools.partial(_loss, answer),
        quality=_quality,
        notes=_notes,
        remarks=_remarks,
    )


REPORT = _report(Answer())


def of_prompt(prompt: Prompt) -> dict[str, Any]:
    """`REPORT` in a task's own currency and unit."""
    return {"REPORT": _report(answer_to(prompt))}
