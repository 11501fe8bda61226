"""Confidence intervals of a single run's scores, over its rows."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import scipy  # of it scipy.stats, which takes a second to import, once it is used

from finetune.core.schema import Bootstrap
from finetune.scoring.row_values import Statistic, row_values

# Of a smaller p-value nobody needs to know how small.
LEAST_P = 1e-12


@dataclass(frozen=True)
class Interval:
    """A score, or a difference of two, with the ends of its confidence interval."""

    mean: float
    low: float
    high: float

    def rounded(self, digits: int = 4) -> dict[str, float]:
        """The fields as written to a metric file."""
        return {name: round(value, digits) for name, value in asdict(self).items()}


def interval(
    columns: Sequence[Sequence[float]], options: Bootstrap, statistic: Statistic = np.mean
) -> Interval:
    """A statistic with its confidence interval: Student's t over the rows' contributions to it.

    `columns` are the arguments of the statistic, [columns][rows]. Errors of prices are heavy-tailed
    and skewed, so t has degrees of freedom by the kurtosis, and of a mean t is corrected for the
    skewness; see the functions below, and docs/statistics.md for how often such intervals hold. If
    every column is constant, both ends are the statistic.

    Raises:
        ValueError: no rows, or columns of different lengths.
    """
    values = row_values(columns, options, statistic)
    if statistic is np.mean:
        return of_mean(values, options.confidence)
    mean = float(values.mean())
    margin = _t(values, options.confidence) * float(values.std(ddof=1)) if np.ptp(values) else 0.0
    return Interval(mean, mean - margin, mean + margin)


def of_mean(values: np.ndarray, confidence: float) -> Interval:
    """The mean of values [rows] with its interval, corrected for their skewness."""
    mean = float(values.mean())
    if np.ptp(values) == 0:
        return Interval(mean, mean, mean)
    t, sd = _t(values, confidence), float(values.std(ddof=1))
    # Of few rows the correction can leave the range of what was seen, where no mean is.
    low = max(mean - sd * _skewed(values, t), float(values.min()))
    return Interval(mean, low, min(mean - sd * _skewed(values, -t), float(values.max())))


def p_of_mean(values: np.ndarray) -> float:
    """The two-sided p-value of a mean of 0: the largest 1 - confidence with 0 in `of_mean`."""
    if np.ptp(values) == 0 or not np.any(values):
        return 1.0 if values.mean() == 0 else 2.0 ** (1 - values.size)

    def is_within(p: float) -> bool:
        at_level = of_mean(values, 1 - p)
        return at_level.low <= 0 <= at_level.high

    # By bisection of log p: the interval narrows as p grows.
    low, high = math.log(LEAST_P), 0.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if is_within(math.exp(middle)) else (low, middle)
    return math.exp(high)


def _t(values: np.ndarray, confidence: float) -> float:
    """Student's t, in standard deviations of the values."""
    return float(scipy.stats.t.ppf(0.5 + confidence / 2, _freedom(values)) / np.sqrt(values.size))


def _freedom(values: np.ndarray) -> float:
    """Degrees of freedom of a sample variance: 2 rows / (kurtosis - 1), rows - 1 at most.

    Those with which a multiple of χ² has the mean and the variance of the sample variance
    (Satterthwaite 1946); rows - 1 for normal values.
    """
    excess = float(scipy.stats.kurtosis(values))
    return float(np.clip(2 * values.size / max(excess + 2, 1e-9), 2, values.size - 1))


def _skewed(values: np.ndarray, t: float) -> float:
    """What t / √rows is without the skewness of the mean's t statistic (Hall 1992).

    The inverse of Hall's cubic transformation, which removes skewness from the distribution of t.
    """
    skewness = float(scipy.stats.skew(values))
    if abs(skewness) < 1e-6:
        return t
    shifted = 1 + skewness * (t - skewness / (6 * values.size))
    return 3 / skewness * (float(np.cbrt(shifted)) - 1)


def of_rate(percent: Sequence[float], confidence: float) -> Interval:
    """A rate with its interval, from a value of 0 or 100 for each row.

    Wilson's (1927); exact (Clopper and Pearson 1934) where all rows agree, since values without
    variance would have an interval without width.

    Raises:
        ValueError: no rows.
    """
    rows, hits = len(percent), sum(value > 0 for value in percent)
    if not rows:
        raise ValueError("no values")
    method = "exact" if hits in (0, rows) else "wilson"
    ends = scipy.stats.binomtest(hits, rows).proportion_ci(confidence, method=method)
    return Interval(100 * hits / rows, 100 * float(ends.low), 100 * float(ends.high))
