"""The evaluations of a run on validation rows: which is best, and when to stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The Trainer's names in its log. `eval_train_loss` is the mean training loss of the optimizer steps
# since the evaluation before, whatever `run.logging_steps` is.
LOSS, SCORE, TRAIN_LOSS = "eval_loss", "eval_score", "eval_train_loss"


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: the optimizer step after which it was, and what came out.

    score: the task's primary metric; None where the run does not choose by it, and where the model
    left too many rows unanswered.
    """

    step: int
    loss: float
    train_loss: float
    score: float | None = None


def of_history(history: Sequence[Mapping[str, Any]]) -> list[Evaluation]:
    """The evaluations in a Trainer's log, in order."""
    return [
        Evaluation(entry["step"], entry[LOSS], entry[TRAIN_LOSS], entry.get(SCORE))
        for entry in history
        if LOSS in entry
    ]


def best(evaluations: Sequence[Evaluation], higher_is_better: bool = True) -> Evaluation:
    """The evaluation of the best score; of equal scores, and without any, of the lowest loss.

    One without a score loses against any with one; of equal ones the first is the best.
    """

    def merit(evaluation: Evaluation) -> tuple[bool, float, float]:
        score = evaluation.score
        signed = 0.0 if score is None else score if higher_is_better else -score
        return score is not None, signed, -evaluation.loss

    return max(evaluations, key=merit)


def without_improvement(evaluations: Sequence[Evaluation], higher_is_better: bool = True) -> int:
    """How many evaluations there were since the best."""
    return len(evaluations) - 1 - evaluations.index(best(evaluations, higher_is_better))


def is_over(
    evaluations: Sequence[Evaluation], patience: int | None, higher_is_better: bool = True
) -> bool:
    """Whether the last `patience` evaluations brought no improvement; never without patience."""
    if patience is None or not evaluations:
        return False
    return without_improvement(evaluations, higher_is_better) >= patience
