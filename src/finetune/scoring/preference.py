"""What people prefer of two answers: win rates over rows, the sign test, how far raters agree.

A row's value is the percentage of its raters that prefer the second answer, a tie counting half:
rows are what was drawn, so ratings of one row are averaged before anything is computed over rows.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # of it scipy.stats, which takes a second to import, once it is used

from finetune.scoring import intervals
from finetune.scoring.intervals import Interval

TIE = 50.0
# A rater, a row, and what the rater said of it.
Rating = tuple[Hashable, Hashable, Hashable]


def win_rate(percent: np.ndarray, confidence: float) -> Interval:
    """The mean of rows' values [rows] in percent, with its interval.

    Wilson's interval (1927) with the effective number of rows and Student's quantile, as surveys
    have it (Franco et al. 2019, "Comparative Study of Confidence Intervals for Proportions in
    Complex Sample Surveys"): a rate of so many rows would vary as much as the values do. Ties, and
    several raters of a row, make it larger than the number of rows. Where all values are equal, it
    ends where that many rows could all be so in spite of a fraction that are not (Clopper and
    Pearson 1934), those being at either end.

    Raises:
        ValueError: no rows.
    """
    if percent.size == 0:
        raise ValueError("no values")
    rate, variance = float(percent.mean()) / 100, float((percent / 100).var())
    if np.ptp(percent) == 0:
        unseen = intervals.of_rate([0.0] * percent.size, confidence).high / 100
        return Interval(100 * rate, 100 * rate * (1 - unseen), 100 * (rate + unseen * (1 - rate)))
    rows = percent.size * rate * (1 - rate) / variance
    t = float(scipy.stats.t.ppf(0.5 + confidence / 2, percent.size - 1))
    middle = (rate + t**2 / (2 * rows)) / (1 + t**2 / rows)
    margin = t / (1 + t**2 / rows) * np.sqrt(rate * (1 - rate) / rows + t**2 / (4 * rows**2))
    return Interval(100 * rate, 100 * float(middle - margin), 100 * float(middle + margin))


@dataclass(frozen=True)
class SignTest:
    """How many rows prefer the first answer, the second, and neither; two-sided, exact.

    Rows that prefer neither say nothing of which is better, and are left out (Dixon and Mood 1946).
    """

    first: int
    second: int
    neither: int

    @property
    def decided(self) -> int:
        """The rows that prefer either."""
        return self.first + self.second

    @property
    def p(self) -> float:
        """The p-value of either answer being preferred as often as the other."""
        return (
            float(scipy.stats.binomtest(self.second, self.decided).pvalue) if self.decided else 1.0
        )


def sign_test(percent: np.ndarray) -> SignTest:
    """The sign test of rows' values [rows] in percent."""
    return SignTest(
        int((percent < TIE).sum()), int((percent > TIE).sum()), int((percent == TIE).sum())
    )


@dataclass(frozen=True)
class Agreement:
    """How far raters agree who rated the same rows.

    `observed` is the percentage of pairs of ratings of one row that are equal, each row weighing as
    its ratings; `by_chance` that of pairs of any two ratings of these rows. `alpha` is
    Krippendorff's, (observed - by_chance) / (100 - by_chance): 1 is perfect, 0 is chance; None
    where all ratings are equal, and with an interval of None where rows are too few for one.
    """

    rows: int
    observed: float
    by_chance: float
    alpha: float | None
    interval: Interval | None


def agreement(ratings: Sequence[Rating], confidence: float) -> Agreement | None:
    """How far raters agree over the rows that several rated; None where there is no such row.

    Alpha is that of NLTK, for categories without an order (Krippendorff 2004, "Reliability in
    Content Analysis"); it takes rows that not all have rated. Its interval is Student's over the
    jackknife's pseudo-values of the rows.
    """
    by_row: dict[Hashable, list[Hashable]] = {}
    for _, row, value in ratings:
        by_row.setdefault(row, []).append(value)
    shared = {row: values for row, values in by_row.items() if len(values) > 1}
    if not shared:
        return None
    kept = [rating for rating in ratings if rating[1] in shared]
    observed = sum(len(of) * _equal_pairs(of) for of in shared.values()) / len(kept)
    by_chance = _equal_pairs([value for _, _, value in kept])
    alpha = _alpha(kept)
    interval = None if alpha is None else _jackknife(kept, alpha, confidence)
    return Agreement(len(shared), 100 * observed, 100 * by_chance, alpha, interval)


def _equal_pairs(values: Sequence[Hashable]) -> float:
    """The fraction of pairs of values that are equal."""
    counts = [values.count(value) for value in set(values)]
    return sum(n * (n - 1) for n in counts) / (len(values) * (len(values) - 1))


def _alpha(ratings: Sequence[Rating]) -> float | None:
    # Imported here: it takes seconds, and scores of models do not need it.
    from nltk.metrics.agreement import AnnotationTask

    # Where all ratings are equal it says 1: no disagreement was seen, and none was possible.
    if len({value for _, _, value in ratings}) < 2:
        return None
    return float(AnnotationTask(data=ratings).alpha())


def _jackknife(ratings: Sequence[Rating], alpha: float, confidence: float) -> Interval | None:
    rows = list(dict.fromkeys(row for _, row, _ in ratings))
    without = [_alpha([each for each in ratings if each[1] != row]) for row in rows]
    left = [value for value in without if value is not None]
    if len(rows) < 3 or len(left) < len(rows):
        return None
    pseudo_values = len(rows) * alpha - (len(rows) - 1) * np.asarray(left)
    error = pseudo_values.std(ddof=1) / np.sqrt(len(rows))
    margin = float(scipy.stats.t.ppf(0.5 + confidence / 2, len(rows) - 1) * error)
    return Interval(alpha, max(-1.0, alpha - margin), min(1.0, alpha + margin))
