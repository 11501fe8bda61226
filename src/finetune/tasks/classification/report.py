"""What the report shows of labels: which are confused, calibration, the most confident mistakes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from finetune.core.schema import Train
from finetune.reporting import canvas, templates
from finetune.reporting.artifacts import Row, TaskArtifacts
from finetune.reporting.canvas import colour
from finetune.reporting.examples import shortened
from finetune.reporting.parts import Figure, KindQuality, KindReport, Series, Table
from finetune.scoring import numbers
from finetune.tasks.classification.scores import BINS, calibration_error, confidence_bin

# More labels than a matrix shows in a column's width.
MOST_LABELS = 8
CONFUSIONS = 12
MISTAKES = 6
LONGEST_TEXT = 400
# Simulations of a model whose confidence is right, and their seed.
DRAWS, SEED = 200, 1
WHO = {
    "base": "the base model",
    "few_shot": "the base model with examples",
    "tuned": "the tuned model",
}


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A text, its label, and what both models predicted, with their confidence in percent."""

    id: str
    text: str
    label: str
    predicted: str
    confidence: float
    base: str | None
    base_confidence: float | None


def _loss(train: Train) -> str:
    return "Cross-entropy of a label's tokens, in nats per token."


def _notes(artifacts: TaskArtifacts) -> list[str]:
    """How many answers of each model are no label, and what they count as."""
    scored = {who: artifacts.metrics.get(role, {}) for role, who in WHO.items()}
    return [
        f"{numbers.share(scores['unparsable'], scores['n'])} answers of {who} have no probability "
        "on any label, and count as labels are frequent in train."
        for who, scores in scored.items()
        if scores.get("unparsable")
    ]


def _quality(name: str, artifacts: TaskArtifacts) -> KindQuality:
    tuned = artifacts.predictions.get("tuned", [])
    figure = _reliability(name, artifacts)
    template = Path(__file__).with_name("report.html.j2")
    return KindQuality(
        after_groups=[figure] if figure else [],
        tables=[confusions(tuned)],
        missing=[] if figure else ["No prediction is a distribution: calibration is not shown."],
        examples=Markup(templates.render(template, mistakes=mistakes(artifacts))),
    )


def confusions(predictions: Sequence[Row]) -> Table:
    """The confusion matrix in rows; of many labels, the labels that are confused most often."""
    counts = Counter((row["reference"], row["prediction"]) for row in predictions)
    true = sorted({label for label, _ in counts})
    predicted = sorted({label for _, label in counts} | set(true))
    if len(predicted) > MOST_LABELS:
        wrong = [(pair, count) for pair, count in counts.most_common() if pair[0] != pair[1]]
        rows = [[*pair, numbers.number(count, 0)] for pair, count in wrong[:CONFUSIONS]]
        return Table(["true label", "predicted", "rows"], rows, "Most frequent confusions: tuned")
    rows = [
        [label, *(numbers.number(counts[label, other], 0) for other in predicted)] for label in true
    ]
    return Table(["true \\ predicted", *predicted], rows, "Confusion matrix: tuned, in rows")


def _reliability(name: str, artifacts: TaskArtifacts) -> Figure | None:
    """Accuracy over confidence by bins; None where no model gave a distribution."""
    columns = {
        role: np.array([[row["confidence"], row["correct"]] for row in rows]).T
        for role in ("tuned", "base")
        # Where there is no answer, there is no confidence that could be right.
        if (rows := [row for row in artifacts.predictions.get(role, []) if _is_distribution(row)])
    }
    if not columns:
        return None
    judged = " ".join(_judged(WHO[role], *of) for role, of in columns.items())
    title = f"{artifacts.task}: accuracy over confidence. {judged}"
    svg = _reliability_svg(f"{name}-reliability", title, columns)
    legend = (
        f"{BINS} bins of confidence, a larger mark for more rows. Below the dashed diagonal a "
        "model is overconfident, above it underconfident."
    )
    return Figure("Calibration: accuracy over confidence", f"{judged} {legend}", svg)


def _is_distribution(row: Row) -> bool:
    return "confidence" in row and not row.get("unparsable")


def _judged(who: str, confidence: np.ndarray, correct: np.ndarray) -> str:
    """The calibration error (rows,) beside that of a model whose confidence is right."""
    error = float(calibration_error(confidence, correct))
    rng = np.random.default_rng(SEED)
    drawn = 100.0 * (rng.random((DRAWS, len(confidence))) < confidence / 100)
    errors = calibration_error(np.broadcast_to(confidence, drawn.shape), drawn)
    usual, most = float(errors.mean()), float(np.quantile(errors, 0.95))
    said = (
        f"The calibration error of {who} is {_percent(error)}; over as many rows it would be about "
        f"{_percent(usual)} if its confidence were right"
    )
    return f"{said}, and so it may be." if error <= most else f"{said}."


def _percent(value: float) -> str:
    return f"{numbers.number(value, 1)}{numbers.TIGHT}%"


def _reliability_svg(name: str, title: str, columns: Mapping[str, np.ndarray]) -> Markup:
    """`columns` are confidence and accuracy in percent by role, [2][rows]."""
    with canvas.panel(canvas.SQUARE) as (figure, axes):
        axes.plot([0, 100], [0, 100], color=colour("muted"), lw=1.25, ls=(0, (4, 3)))
        for role, (confidence, correct) in columns.items():
            bins = confidence_bin(confidence)
            filled = np.unique(bins)
            means = [
                (confidence[bins == each].mean(), correct[bins == each].mean()) for each in filled
            ]
            x, y = np.array(means).T
            shares = np.bincount(bins)[filled] / len(bins)
            axes.plot(x, y, color=colour(role), lw=1.5)
            axes.scatter(
                x, y, s=30 + 300 * shares, marker=canvas.MARKERS[role], color=colour(role),
                edgecolors=colour("card"), linewidths=1.5, zorder=3, clip_on=False,
            )  # fmt: skip
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        for set_ticks in (axes.set_xticks, axes.set_yticks):
            set_ticks([0, 25, 50, 75, 100])
        canvas.key(figure, [canvas.LABELS[role] for role in columns], list(columns))
        canvas.axis_titles(figure, axes, "confidence, %", "accuracy, %")
        return canvas.svg(figure, name, title)


def mistakes(artifacts: TaskArtifacts) -> list[Mistake]:
    """The wrong labels of which the tuned model is most confident."""
    wrong = [row for row in artifacts.predictions.get("tuned", []) if not row["correct"]]
    texts = {row["id"]: row["text"] for row in artifacts.rows.get("test", [])}
    bases = {row["id"]: row for row in artifacts.predictions.get("base", [])}
    found = []
    for row in sorted(wrong, key=lambda row: -row["confidence"])[:MISTAKES]:
        base = bases.get(row["id"], {})
        found.append(
            Mistake(
                id=str(row["id"]),
                text=shortened(texts.get(row["id"], ""), LONGEST_TEXT),
                label=row["reference"],
                predicted=row["prediction"],
                confidence=row["confidence"],
                base=base.get("prediction"),
                base_confidence=base.get("confidence"),
            )
        )
    return found


REPORT = KindReport(
    description="labels of texts",
    series=(Series(label="words of a text", value=lambda row: len(row["text"].split())),),
    loss=_loss,
    quality=_quality,
    notes=_notes,
)
