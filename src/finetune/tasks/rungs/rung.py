"""What a rung takes and gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune.core.schema import PriceScore, SummaryScore

Row = dict[str, Any]
Splits = dict[str, list[Row]]


@dataclass(frozen=True)
class Answers:
    """A rung's answers to the test rows, in their order: texts, or prices in USD.

    `remarks` go into the protocol of its metrics: what was chosen, what the rung is no rival in.
    """

    guesses: Sequence[Any]
    remarks: dict[str, Any] = field(default_factory=dict)


# The prepared rows of train, validation and test, and how the task is scored → answers. A rung
# learns from train, chooses by validation, and never reads the target of a test row (a bound does,
# and says so in its remarks).
Rung = Callable[[Splits, SummaryScore | PriceScore], Answers]
