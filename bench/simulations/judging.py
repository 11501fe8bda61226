"""Verdicts on simulated differences, by the code that `finetune compare` judges with."""

import hashlib
from collections.abc import Sequence

from finetune.comparing import verdicts
from finetune.comparing.verdicts import Comparison
from finetune.scoring.crossed import Difference
from finetune.scoring.metrics import Metric
from simulations.tables import OPTIONS

SCORE = Metric(key="score", columns=("score",), title="score")


def comparison(difference: Difference, task: str = "task", is_primary: bool = True) -> Comparison:
    """A difference as that of a score whose rows all have an answer."""
    return Comparison(
        task=task,
        metric=SCORE,
        is_primary=is_primary,
        before=0.0,
        after=difference.mean,
        difference=difference,
        unanswered=(0.0, 0.0),
        # No two draws are of the same predictions.
        predictions=(hashlib.sha256(difference.by_row.tobytes()).hexdigest(),),
        is_silent=False,
        level=OPTIONS.confidence,
    )


def judged(
    compared: Sequence[Sequence[Comparison]], looks: Sequence[float] = ()
) -> list[Comparison]:
    """All comparisons with their verdicts: [configurations][scores]."""
    return [each for of in verdicts.judge(compared, OPTIONS, looks) for each in of]


def is_decided(compared: Comparison) -> bool:
    """Whether the verdict is better or worse."""
    return compared.verdict in ("better", "worse")


def decided(difference: Difference) -> bool:
    """Whether a difference gets a verdict where nothing else is asked."""
    (alone,) = judged([[comparison(difference)]])
    return is_decided(alone)
