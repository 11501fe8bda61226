"""The report on a training run: its curves, and what training said of its length."""

from finetune.core.schema import Train
from finetune.reporting import figures
from finetune.reporting.artifacts import Curve, TaskArtifacts
from finetune.reporting.parts import Figure, Part
from finetune.reporting.tables import Metrics
from finetune.scoring.metrics import Metric
from finetune.scoring.numbers import number

CROSS_ENTROPY = "Cross-entropy of an answer's tokens, in nats per token."
NUMBER_LOSS = (
    "Negative log-likelihood of log(1 + number) under the predicted Laplace distribution, in nats."
)


def training(name: str, artifacts: TaskArtifacts, options: Train) -> Part:
    """Curves of a run, and the advice that training wrote with its metrics."""
    train = artifacts.metrics.get("train")
    if not train:
        return Part(missing=["No training run has written its metrics yet."])
    curves, kept = artifacts.curves, train.get("best_step")
    part = Part(notes=_notes(artifacts, train))
    losses = {n: curves.get(f"{n}_loss", []) for n in ("train", "validation")}
    if any(losses.values()):
        title = " ".join([f"{artifacts.task}: losses over steps.", *part.notes[:1]])
        svg = figures.losses(f"{name}-loss", title, losses["train"], losses["validation"], kept)
        caption = _minimized(artifacts, train, options)
        part.figures.append(Figure("Loss", caption, svg))
    else:
        part.missing.append("No curves of the losses were written.")
    if scores := curves.get("validation_score"):
        title = f"{artifacts.task}: {artifacts.primary.title} on validation rows over steps"
        svg = figures.line(f"{name}-score", title, scores, artifacts.primary.heading)
        part.figures.append(Figure(f"{artifacts.primary.heading}, validation rows", "", svg))
    rates = curves.get("learning_rate")
    if rates:
        title = f"{artifacts.task}: learning rate over steps, at most {max(r for _, r in rates):g}"
        svg = figures.line(f"{name}-rate", title, rates, "learning rate")
        part.figures.append(Figure("Learning rate", "", svg))
    return part


def _minimized(artifacts: TaskArtifacts, train: Metrics, options: Train) -> str:
    """What was minimized, in a sentence."""
    if train.get("head") == "number":
        return NUMBER_LOSS
    # Of several tasks it is what all kinds have.
    return CROSS_ENTROPY if "mix" in train else artifacts.kind.report.loss(options)


def _notes(artifacts: TaskArtifacts, train: Metrics) -> list[str]:
    """What training said, in sentences: its advice, what chose the adapter, where it stopped."""
    notes = [train["advice"]] if train.get("advice") else []
    if train.get("selected_by") == "score":
        notes.append(_by_score(artifacts.primary, train, artifacts.curves))
    if train.get("stopped_early"):
        notes.append(
            f"Training stopped early, after step {train['stopped_at_step']} of {train['steps']}: "
            "the evaluations before brought no improvement (train.patience)."
        )
    return notes


def _by_score(metric: Metric, train: Metrics, curves: dict[str, Curve]) -> str:
    score, kept = metric.amount(train.get("validation_score")), train.get("best_step")
    said = (
        f"The adapter of step {kept} was kept for its {metric.title} on validation rows, {score} "
        f"({metric.direction})"
    )
    validation = curves.get("validation_loss", [])
    if len(validation) < 2:
        return f"{said}."
    step, loss = min(validation, key=lambda point: point[1])
    where = "there too" if step == kept else f"at step {step}"
    return f"{said}; validation loss was lowest {where} ({_loss(loss)})."


def _loss(value: float) -> str:
    return number(value, 3)
