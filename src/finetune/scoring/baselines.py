"""What a baseline is: a prediction that needs no language model."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from finetune.core.schema import Score
from finetune.scoring.metrics import Metric, Row

# The prepared rows of each split.
Splits = Mapping[str, Sequence[Row]]
# What names a baseline.
Name = TypeVar("Name", bound=Hashable)
# A kind's own scoring options.
ScoreT = TypeVar("ScoreT", bound=Score)


@dataclass(frozen=True)
class Answers:
    """A baseline's predictions for the rows that were asked, in their order: texts, or numbers.

    `remarks` go into the protocol of its metrics: what was chosen, and on what.
    """

    predictions: Sequence[Any]
    remarks: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline(Generic[ScoreT]):
    """A baseline; `description` is for those who do not know its name.

    `fit` takes the splits and the task's scoring options, and gives a function from rows to
    answers. It learns from train and may choose by validation. It never reads the target of the
    rows that it answers, unless it is an oracle: an upper bound, and no competitor.
    """

    name: str
    description: str
    fit: Callable[[Splits, ScoreT], Callable[[Sequence[Row]], Answers]]
    is_oracle: bool = False


def of_each(
    answer: Callable[[Row], Any],
) -> Callable[[Splits, Score], Callable[[Sequence[Row]], Answers]]:
    """A baseline that learns nothing: an answer to each row by itself."""

    def fit(splits: Splits, options: Score) -> Callable[[Sequence[Row]], Answers]:
        return lambda rows: Answers([answer(row) for row in rows])

    return fit


def best(metrics: Mapping[Name, Mapping[str, Any]], primary: Metric) -> Name | None:
    """The baseline with the best primary score over the validation rows; None if there is none.

    Never by the test rows, of which the best of many would be flattered. So somebody's own answers,
    which are to test rows alone, are never the best one; nor is an oracle, which is no competitor,
    or what gives too few answers to have a score.
    """
    sign = -1 if primary.higher_is_better is False else 1
    competing = {
        name: sign * scores["validation"][primary.key]
        for name, scores in metrics.items()
        if not scores.get("protocol", {}).get("oracle")
        and primary.key in scores.get("validation", {})
    }
    return max(competing, key=competing.__getitem__, default=None)
