"""What the losses of a run say of its length: overfitting, or still learning at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune.training.evaluations import Evaluation, best

# Relative changes of a validation loss below this are within what runs of other seeds differ by.
NOISE = 0.01


@dataclass(frozen=True)
class Advice:
    """Whether a run overfitted, and what to do about its length; empty where nothing is to do."""

    overfit: bool = False
    text: str = ""


def advise(
    evaluations: Sequence[Evaluation],
    steps: int,
    higher_is_better: bool = True,
    stopped_early: bool = False,
) -> Advice:
    """Advice from a run's evaluations; `steps` is the length of its schedule.

    It overfitted if validation loss ended more than `NOISE`, relative, above its lowest, while the
    training loss since the evaluation before fell. It was still learning if the last evaluation
    has the lowest validation loss, by more than `NOISE` below the one before; more epochs are not
    advised where patience ended the run (`stopped_early`), nor where adapters are chosen by score
    and an earlier one was best (`higher_is_better` is of that score). A single evaluation says
    neither.
    """
    if len(evaluations) < 2:
        return Advice()
    lowest = min(evaluations, key=lambda evaluation: evaluation.loss)
    before, last = evaluations[-2:]
    kept = best(evaluations, higher_is_better)
    has_risen = last.loss - lowest.loss > NOISE * abs(lowest.loss)
    if has_risen and last.train_loss < lowest.train_loss:
        is_score_best = kept is last and kept.score is not None
        return Advice(
            overfit=True,
            text=(
                f"Validation loss was lowest at step {lowest.step} of {steps} "
                f"({_loss(lowest.loss)}) and ended at {_loss(last.loss)} while training loss fell "
                f"from {_loss(lowest.train_loss)} to {_loss(last.train_loss)}: overfitting; "
                f"{_remedy(is_score_best, stopped_early)}."
            ),
        )
    has_fallen = last is lowest and before.loss - last.loss > NOISE * abs(before.loss)
    if has_fallen and kept is last and not stopped_early:
        return Advice(
            text=(
                f"Validation loss was still falling at the end, from {_loss(before.loss)} at step "
                f"{before.step} to {_loss(last.loss)} at step {last.step} of {steps}: more epochs "
                "may help."
            )
        )
    return Advice()


def _remedy(is_score_best: bool, stopped_early: bool) -> str:
    """What may help against overfitting; by the score there is none if the last adapter is best."""
    if is_score_best:
        return "but the score that adapters are chosen by was best at the end"
    if stopped_early:
        return "dropout or a lower learning rate may help"
    return "fewer epochs, dropout, a lower learning rate or train.patience may help"


def _loss(value: float) -> str:
    return f"{value:.3f}"
