"""What ratings say: whose answer stood on which side, and which of two runs people prefer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap
from finetune.rating.answers import Pair
from finetune.rating.ratings import Rating
from finetune.scoring import intervals, multiple, preference
from finetune.scoring.intervals import Interval
from finetune.scoring.metrics import Metric, Prediction
from finetune.scoring.preference import Agreement, SignTest

Preferred = Literal["first", "second", "tie"]
# What a rating says of the second run, in percent of a win.
PERCENT: dict[Preferred, float] = {"first": 0.0, "tie": preference.TIE, "second": 100.0}


@dataclass(frozen=True)
class Vote:
    """A rating, with whose answer it prefers instead of a side."""

    row: str
    rater: str
    preferred: Preferred
    is_first_left: bool
    reference_seen: bool


@dataclass(frozen=True)
class RaterResult:
    """How often one rater preferred which; `win_rate` as that of all."""

    name: str
    counts: Counter[Preferred]
    win_rate: Interval


@dataclass(frozen=True)
class MetricAgreement:
    """In which percentage of rows people prefer the answer that a metric finds better.

    Of the `rows` where both have a preference. `by_chance` is what it would be if the two, with as
    many preferences either way, had nothing to do with each other.
    """

    metric: Metric
    rows: int
    percent: Interval
    by_chance: float


@dataclass(frozen=True)
class Result:
    """People's preference between two runs on one task.

    `win_rate` is that of the second run in percent over `rows` rows, a tie counting half; `left`
    that of the left answer over the rows where a rater prefers one, None where there is no such
    row. `skipped` and `reference_seen` count ratings, `same` rows of the runs that both answer
    alike.
    """

    task: str
    rows: int
    counts: Counter[Preferred]
    win_rate: Interval
    signs: SignTest
    raters: list[RaterResult]
    agreement: Agreement | None
    left: Interval | None
    metric: MetricAgreement | None
    skipped: int
    reference_seen: int
    same: int
    of_rows: int


@dataclass(frozen=True)
class Judged:
    """A result with the Holm-adjusted p-value of its sign test; `preferred` is a run, or None."""

    result: Result
    p_adjusted: float
    preferred: str | None


def votes(
    task: str, pairs: Sequence[Pair], ratings: Sequence[tuple[str, Rating]], names: tuple[str, str]
) -> list[Vote]:
    """The ratings with whose answer each prefers; skipped rows are left out.

    Raises:
        UserError: ratings are of other answers than these two runs'.
    """
    by_row = {pair.row: pair for pair in pairs}
    resolved, unknown = [], []
    for where, rating in ratings:
        pair = by_row.get(rating.row)
        sides = (rating.left, rating.right)
        if pair is None or pair.input != rating.input or set(sides) != set(pair.hashes):
            unknown.append((where, rating))
            continue
        if rating.choice == "skip":
            continue
        is_first_left = sides == pair.hashes
        preferred: Preferred = "tie"
        if rating.choice != "tie":
            preferred = "first" if (rating.choice == "left") == is_first_left else "second"
        resolved.append(
            Vote(rating.row, rating.by, preferred, is_first_left, rating.reference_seen)
        )
    if unknown:
        where, rating = unknown[0]
        raise UserError(
            f"{where}: row {rating.row} of {task}: the rated answers are not those of {names[0]} "
            f"and {names[1]}, as of {len(unknown)} of {len(ratings)} ratings; name the two runs "
            "that the page was made from, or take its file away"
        )
    return resolved


def result(
    task: str,
    cast: Sequence[Vote],
    pairs: Sequence[Pair],
    options: Bootstrap,
    metric: Metric,
    predictions: tuple[Sequence[Prediction], Sequence[Prediction]],
    skipped: int,
    names: Mapping[str, str],
) -> Result:
    """What the votes of a task say; `names` are the raters' as they wrote them.

    Raises:
        UserError: there are none.
    """
    if not cast:
        raise UserError(f"{task}: every row was skipped, so the ratings say nothing")
    by_row = _by_row(cast)
    values = np.array(list(by_row.values()))
    return Result(
        task=task,
        rows=len(by_row),
        counts=Counter(vote.preferred for vote in cast),
        win_rate=preference.win_rate(values, options.confidence),
        signs=preference.sign_test(values),
        raters=[
            _of_rater(names[rater], [vote for vote in cast if vote.rater == rater], options)
            for rater in dict.fromkeys(sorted(vote.rater for vote in cast))
        ],
        agreement=preference.agreement(
            [(vote.rater, vote.row, vote.preferred) for vote in cast], options.confidence
        ),
        left=_left(cast, options),
        metric=_metric_agreement(metric, by_row, predictions, options),
        skipped=skipped,
        reference_seen=sum(vote.reference_seen for vote in cast),
        same=sum(pair.is_same for pair in pairs),
        of_rows=len(pairs),
    )


def _by_row(cast: Sequence[Vote]) -> dict[str, float]:
    """For each row the mean over its raters, in percent of a win of the second run."""
    return _means((vote.row, PERCENT[vote.preferred]) for vote in cast)


def _means(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    """For each row the mean of its values."""
    given: dict[str, list[float]] = {}
    for row, value in values:
        given.setdefault(row, []).append(value)
    return {row: float(np.mean(of_row)) for row, of_row in given.items()}


def _left(cast: Sequence[Vote], options: Bootstrap) -> Interval | None:
    """How often the left answer is preferred, over rows: raters of one row share its sides."""
    by_row = _means(
        (vote.row, 100.0 * ((vote.preferred == "first") == vote.is_first_left))
        for vote in cast
        if vote.preferred != "tie"
    )
    return (
        preference.win_rate(np.array(list(by_row.values())), options.confidence) if by_row else None
    )


def _of_rater(name: str, cast: Sequence[Vote], options: Bootstrap) -> RaterResult:
    values = np.array(list(_by_row(cast).values()))
    counts: Counter[Preferred] = Counter(vote.preferred for vote in cast)
    return RaterResult(name, counts, preference.win_rate(values, options.confidence))


def _metric_agreement(
    metric: Metric,
    by_row: Mapping[str, float],
    predictions: tuple[Sequence[Prediction], Sequence[Prediction]],
    options: Bootstrap,
) -> MetricAgreement | None:
    """None where no row has a preference of both."""
    if not all(metric.is_of(rows) for rows in predictions):
        return None
    first, second = (
        {row["id"]: metric.of_row(row) for row in rows if metric.counts(row)}
        for rows in predictions
    )
    # For each row whether people, and whether the metric, prefer the second answer.
    both = np.array(
        [
            (percent > preference.TIE, metric.row_sign * (second[row] - first[row]) > 0)
            for row, percent in by_row.items()
            if percent != preference.TIE
            and row in first.keys() & second.keys()
            and first[row] != second[row]
        ]
    )
    if not len(both):
        return None
    people, by_metric = both.mean(axis=0)
    by_chance = people * by_metric + (1 - people) * (1 - by_metric)
    percent = intervals.of_rate(100.0 * (both[:, 0] == both[:, 1]), options.confidence)
    return MetricAgreement(metric, len(both), percent, float(100 * by_chance))


def judge(
    measured: Sequence[Result], earlier: Sequence[float], names: tuple[str, str], confidence: float
) -> list[Judged]:
    """The results with verdicts; `earlier` are p-values of other looks at the same rows."""
    tested = [each for each in measured if each.signs.decided]
    adjusted = multiple.holm([*(each.signs.p for each in tested), *earlier])
    by_task = {each.task: p for each, p in zip(tested, adjusted, strict=False)}
    return [
        Judged(each, p, _preferred(each.signs, names) if p < 1 - confidence else None)
        for each in measured
        for p in [by_task.get(each.task, 1.0)]
    ]


def _preferred(signs: SignTest, names: tuple[str, str]) -> str:
    return names[signs.second > signs.first]
