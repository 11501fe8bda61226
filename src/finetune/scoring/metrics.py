"""What a metric is: how it comes out of rows, what it means, and how it is shown.

Everything that prints, draws or compares scores reads it from here, so that a new metric is one
entry in the `scores.py` of its kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from finetune.core.schema import Bootstrap
from finetune.scoring import intervals, numbers, paired
from finetune.scoring.intervals import Interval
from finetune.scoring.row_values import Statistic, row_values

# What all rows of a rate agree on, where it has no variance.
ENDS = ({0.0}, {100.0})
# A row of data/prepared, and one of predictions/, as their JSON has them.
Row = Mapping[str, Any]
Prediction = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A statistic over columns of the predictions' rows, and what a reader is to know of it.

    `meaning` is one phrase for those who do not know the title. `higher_is_better` is None for what
    is neither better nor worse, such as a length. Columns are multiplied by `scale`. A rate is a
    mean of 0 and 100; a percentage is a mean of values from 0 to 100, of which some may lie
    between, over all rows or, as a ratio, over those in which a second column is 1 and not 0.
    `unit_param` is the parameter of a task's `prompt` that says its unit, where tasks of a kind
    differ in it; then `unit` is that parameter's default. Two runs compare only where they have the
    same values of `alike` in each row, or neither has one. `column` is what stands for a single
    row, where the statistic of one row says nothing; an error (`column_is_error`) is the better the
    lower. Of fewer than `min_rows` rows there is no interval that holds as often as it says.
    """

    key: str
    columns: tuple[str, ...]
    title: str
    meaning: str = ""
    unit: str = ""
    unit_param: str = ""
    decimals: int = 2
    statistic: Statistic = np.mean
    scale: float = 1.0
    higher_is_better: bool | None = True
    is_rate: bool = False
    min_rows: int = 1
    is_percentage: bool = False
    alike: tuple[str, ...] = ()
    column: str = ""
    column_is_error: bool = False
    in_readme: bool = False
    in_groups: bool = False

    def values(self, predictions: Sequence[Prediction]) -> list[list[float]]:
        """The columns, each a list over rows."""
        return [[self.scale * row[column] for row in predictions] for column in self.columns]

    def is_of(self, predictions: Sequence[Prediction]) -> bool:
        """Whether the rows have its columns: only a model gives references a probability, say."""
        return bool(self.columns) and all(
            column in row for row in predictions for column in self.columns
        )

    def compares(self, one: Sequence[Prediction], other: Sequence[Prediction]) -> bool:
        """Whether two runs' rows have it, and of the same kind; rows are paired by their id."""
        if not (self.is_of(one) and self.is_of(other)):
            return False
        by_id = {row["id"]: row for row in other}
        return all(row.get(c) == by_id[row["id"]].get(c) for row in one for c in self.alike)

    def score(self, predictions: Sequence[Prediction]) -> float:
        """The statistic of the rows."""
        return float(self.statistic(*map(np.asarray, self.values(predictions)), axis=-1))

    def interval(self, predictions: Sequence[Prediction], options: Bootstrap) -> Interval | None:
        """The statistic of the rows with its confidence interval; None where rows are too few."""
        if len(predictions) < self.min_rows:
            return None
        values = self.values(predictions)
        # Exact for a rate, and on the safe side for a percentage: where values may lie between 0
        # and 100, all at one end are no likelier at a given mean than where they cannot (Markov).
        is_at_ends = set(values[0]) <= {0, 100}
        if self.is_rate and is_at_ends:
            return intervals.of_rate(values[0], options.confidence)
        if self.is_percentage:
            # Of a ratio's two columns the second says which rows count.
            counted = values[-1] if values[1:] else [1.0] * len(values[0])
            percent = [value for value, count in zip(values[0], counted, strict=True) if count]
            if set(percent) in ENDS:
                return intervals.of_rate(percent, options.confidence)
        return intervals.interval(values, options, self.statistic)

    def row_values(self, predictions: Sequence[Prediction], options: Bootstrap) -> np.ndarray:
        """What each row contributes to the score, [rows]; their mean is the score."""
        return row_values(self.values(predictions), options, self.statistic)

    def gain(
        self, before: Sequence[Prediction], after: Sequence[Prediction], options: Bootstrap
    ) -> Interval | None:
        """The paired difference after - before over the same rows; None where they are too few."""
        if len(before) < self.min_rows:
            return None
        columns = self.values(before), self.values(after)
        return paired.paired_gain(*columns, options, self.statistic, self.is_rate)

    def of_row(self, prediction: Row) -> float:
        """What the metric is of a single row, among those that it `counts`."""
        return float(prediction[self.column]) if self.column else self.score([dict(prediction)])

    def counts(self, prediction: Row) -> bool:
        """Whether a row counts: in a ratio of percentages those do whose second column is 1."""
        is_ratio = self.is_percentage and len(self.columns) > 1
        return not is_ratio or bool(prediction[self.columns[1]])

    @property
    def row_sign(self) -> int:
        """1 where a higher value of a single row is better, else -1."""
        return -1 if self.higher_is_better is False or self.column_is_error else 1

    def number(self, value: float | None) -> str:
        """A score without its unit."""
        return numbers.number(value, self.decimals)

    def amount(self, value: float | None) -> str:
        """A score with its unit."""
        return f"{self.number(value)}{numbers.TIGHT}{self.unit}".strip()

    def ends(self, low: float, high: float) -> str:
        """An interval in brackets, without its unit."""
        return f"[{self.number(low)}{numbers.LIST}{self.number(high)}]"

    @property
    def heading(self) -> str:
        """Title and unit, as a table's column is headed."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def subject(self) -> str:
        """Its title where a sentence begins to speak of it: ROUGE-1, the mean absolute error."""
        return f"the {self.title}" if self.title.islower() else self.title

    @property
    def direction(self) -> str:
        """Which way is good."""
        return "lower is better" if self.higher_is_better is False else "higher is better"


def in_units(metrics: Sequence[Metric], value_of: Callable[[str], object]) -> tuple[Metric, ...]:
    """The metrics in the units of one task; `value_of` gives a parameter of its prompt or None."""
    return tuple(
        replace(metric, unit=str(value_of(metric.unit_param) or metric.unit))
        if metric.unit_param
        else metric
        for metric in metrics
    )


@dataclass(frozen=True)
class Flag:
    """Something that may be amiss with a row's prediction: counted, and given as a rate of rows.

    `is_no_answer` where a row with it has no answer: see `answered`; `is_imputed` where a constant
    then stands in for the answer, which says nothing of the model. An empty summary scores 0, and
    is not imputed.
    """

    key: str
    meaning: str
    in_groups: bool = False
    is_no_answer: bool = False
    is_imputed: bool = False

    def metric(self) -> "Metric":
        """The percentage of rows with the flag, as a metric of which less is better."""
        return Metric(
            key=f"{self.key}_rate",
            columns=(self.key,),
            title=self.meaning,
            unit="%",
            scale=100.0,
            higher_is_better=False,
            is_rate=True,
        )

    def rate(self, predictions: Sequence[Prediction], options: Bootstrap) -> Interval:
        """The percentage of rows with the flag."""
        percent = [100.0 * bool(row.get(self.key)) for row in predictions]
        return intervals.of_rate(percent, options.confidence)


# Of any kind whose answers are written token by token.
FLAGS = (
    Flag("prompt_truncated", "the prompt was longer than prompt.max_tokens"),
    Flag("shots_dropped", "not all examples fitted the context"),
    Flag("reference_truncated", "longer than an answer may be, for its likelihood alone"),
    Flag("hit_length_cap", "the answer was truncated at prompt.max_completion_tokens"),
    Flag("empty", "nothing was answered", is_no_answer=True),
    Flag("refused", "a hosted model or its provider refused to answer", is_no_answer=True),
)
# The rows that `answered` denies, whichever of a kind's flags says so.
NO_ANSWER = Flag("no_answer", "no answer was given")


def answered(flags: Sequence[Flag], row: Row) -> bool:
    """Whether a row has an answer of its own: none of the flags that mean "no answer" is raised."""
    return not any(flag.is_no_answer and row.get(flag.key) for flag in flags)


def imputed(flags: Sequence[Flag], row: Row) -> bool:
    """Whether a constant stands in for a row's answer."""
    return any(flag.is_imputed and row.get(flag.key) for flag in flags)


# A group's place in its order, and its name.
Group = tuple[float, str]


@dataclass(frozen=True)
class Grouping:
    """A way to group test rows: each belongs to one group."""

    name: str
    group: Callable[[Row], Group]


def band(value: float, starts: Sequence[float], unit: str) -> Group:
    """`51–100 words`: the band that holds a value; `starts` are the bands' lower ends."""
    for start, following in pairwise(starts):
        if value < following:
            # Of whole numbers the last one, of others the end that they do not reach.
            last = following - 1 if isinstance(value, int) else following
            return start, f"{start}–{last} {unit}"
    return starts[-1], f"{starts[-1]}+ {unit}"


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """To the digits that are worth reading in a file of predictions."""
    return {name: round(value, 4) for name, value in scores.items()}
