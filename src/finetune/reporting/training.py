"""The report on a training run: its curves, whether it overfitted, what it took."""

from finetune.core.schema import Train
from finetune.reporting import figures
from finetune.reporting.artifacts import Curve, TaskArtifacts
from finetune.reporting.parts import Figure, Part
from finetune.reporting.tables import Metrics
from finetune.scoring.metrics import Metric
from finetune.scoring.numbers import number, percent

# Relative changes of a loss below this are within what two runs of other seeds differ by.
NOISE = 0.01
# Gaps between train and validation loss, relative to the former.
SMALL_GAP, LARGE_GAP = 0.05, 0.2
# Logged training losses to take the mean of: single batches scatter.
NEARBY = 10


def training(name: str, artifacts: TaskArtifacts, options: Train) -> Part:
    """Curves of a run, and what they say of overfitting."""
    train = artifacts.metrics.get("train")
    if not train:
        return Part(missing=["No training run has written its metrics yet."])
    curves, kept = artifacts.curves, train.get("best_step")
    part = Part(notes=_notes(artifacts, train, kept))
    losses = {n: curves.get(f"{n}_loss", []) for n in ("train", "validation")}
    if any(losses.values()):
        title = f"{artifacts.task}: losses over steps. {part.notes[0]}"
        svg = figures.losses(f"{name}-loss", title, losses["train"], losses["validation"], kept)
        part.figures.append(Figure("Loss", artifacts.kind.report.loss(options), svg))
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


def _notes(artifacts: TaskArtifacts, train: Metrics, kept: int | None) -> list[str]:
    """What the curves say, in sentences; what training itself advised comes first."""
    curves = artifacts.curves
    notes = overfitting(curves, kept)
    if train.get("selected_by") == "score":
        notes = [_by_score(artifacts.primary, train, curves), *_gap_at(curves, kept)]
    elif train.get("advice"):
        notes = notes[1:]
    if train.get("advice"):
        notes = [train["advice"], *notes]
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


def _gap_at(curves: dict[str, Curve], kept: int | None) -> list[str]:
    by_step = dict(curves.get("validation_loss", []))
    return _gap(curves, kept, by_step[kept]) if kept is not None and kept in by_step else []


def overfitting(curves: dict[str, Curve], kept: int | None) -> list[str]:
    """The check for overfitting, in sentences; `kept` is the step whose adapter was kept."""
    validation = curves.get("validation_loss", [])
    if not validation:
        return ["No curve of the validation loss was written, so overfitting cannot be judged."]
    if len(validation) == 1:
        step, loss = validation[0]
        return [
            f"Validation loss was measured once, {_loss(loss)} at step {step}: "
            "too seldom to judge overfitting (train.num_evals).",
            *_gap(curves, step, loss),
        ]
    by_step = dict(validation)
    if kept not in by_step:
        kept = min(validation, key=lambda point: point[1])[0]
    return [_shape(validation, kept, by_step[kept]), *_gap(curves, kept, by_step[kept])]


def _shape(validation: Curve, kept: int, loss: float) -> str:
    (first, at_first), (last, at_last) = validation[0], validation[-1]
    if kept == last:
        before, at_before = validation[-2]
        if at_last >= at_first:
            return f"Validation loss did not fall: it is {_loss(at_last)} first and last."
        fell = (
            f"Validation loss fell from {_loss(at_first)} at step {first} to {_loss(loss)} at step "
            f"{last}, the last, whose adapter was kept: no overfitting"
        )
        if at_before - at_last > NOISE * abs(at_before):
            return f"{fell}, and it was still falling at the end: a longer run may help."
        return f"{fell}, and a plateau since step {before}: more steps would bring little."
    if at_last - loss > NOISE * abs(loss):
        return (
            f"Validation loss rose from {_loss(loss)} at step {kept} to {_loss(at_last)} at step "
            f"{last}: overfitting; the adapter of step {kept} was kept."
        )
    return (
        f"Validation loss was lowest at step {kept} ({_loss(loss)}) and {_loss(at_last)} at step "
        f"{last}, the last: a plateau; the adapter of step {kept} was kept."
    )


def _gap(curves: dict[str, Curve], kept: int, validation: float) -> list[str]:
    nearby = [loss for step, loss in curves.get("train_loss", []) if step <= kept][-NEARBY:]
    if not nearby:
        return []
    train = sum(nearby) / len(nearby)
    gap = validation - train
    steps = "the logged step" if len(nearby) == 1 else f"the {len(nearby)} logged steps"
    compared = (
        f"Up to there the training loss was {_loss(train)} (mean of {steps} before), "
        f"{_loss(abs(gap))} {'below' if gap >= 0 else 'above'} the validation loss"
    )
    if gap <= SMALL_GAP * abs(train):
        return [f"{compared}: no sign of memorized training rows."]
    relative = percent(round(gap / abs(train), 2)) if train else "all"
    if gap <= LARGE_GAP * abs(train):
        return [f"{compared}, {relative} of the training loss: the usual gap."]
    return [
        f"{compared}, {relative} of the training loss: the model fits its training rows much "
        "better than others. More rows, fewer epochs or a smaller rank may help."
    ]


def _loss(value: float) -> str:
    return number(value, 3)
