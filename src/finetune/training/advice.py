"""What the losses of a run say of its length: overfitting, or still learning at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune.training.evaluations import Evaluation

# Relative changes of a validation loss below this are within what runs of other seeds differ by.
NOISE = 0.01


@dataclass(frozen=True)
class Advice:
    """Whether a run overfitted, and what to do about its length; empty where nothing is to do."""

    overfit: bool = False
    text: str = ""


def advise(evaluations: Sequence[Evaluation], steps: int) -> Advice:
    """Advice from the losses of a run's evaluations; `steps` is the length of its schedule.

    It overfitted if validation loss ended more than `NOISE`, relative, above its lowest, while the
    training loss since the evaluation before fell. It was still learning if the last evaluation
    has the lowest validation loss, by more than `NOISE` below the one before. A single evaluation
    says neither.
    """
    if len(evaluations) < 2:
        return Advice()
    lowest = min(evaluations, key=lambda evaluation: evaluation.loss)
    before, last = evaluations[-2:]
    has_risen = last.loss - lowest.loss > NOISE * abs(lowest.loss)
    if has_risen and last.train_loss < lowest.train_loss:
        return Advice(
            overfit=True,
            text=(
                f"Validation loss was lowest at step {lowest.step} of {steps} "
                f"({_loss(lowest.loss)}) and ended at {_loss(last.loss)} while training loss fell "
                f"from {_loss(lowest.train_loss)} to {_loss(last.train_loss)}: overfitting; fewer "
                "epochs, dropout, a lower learning rate or train.patience may help."
            ),
        )
    if last is lowest and before.loss - last.loss > NOISE * abs(before.loss):
        return Advice(
            text=(
                f"Validation loss was still falling at the end, from {_loss(before.loss)} at step "
                f"{before.step} to {_loss(last.loss)} at step {last.step} of {steps}: more epochs "
                "may help."
            )
        )
    return Advice()


def _loss(value: float) -> str:
    return f"{value:.3f}"
