"""Confidence intervals of scores and paired differences, by a seeded bootstrap over rows."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from finetune.core.schema import Bootstrap

# Resampled values held at once: 64 MB of doubles, whatever the number of rows.
BATCH_VALUES = 8_000_000

# From arrays [..., rows] and `axis`, that of the rows, to the score [...].
Statistic = Callable[..., np.ndarray]


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
    """A statistic with its bias-corrected and accelerated interval (BCa; Efron 1987).

    `columns` are the arguments of the statistic, [columns][rows]; rows are resampled. If every
    column is constant, both ends are the statistic.

    Raises:
        ValueError: no rows, or columns of different lengths.
    """
    data = [np.asarray(column, dtype=float) for column in columns]
    if data[0].size == 0:
        raise ValueError("no values")
    if len({column.size for column in data}) > 1:
        raise ValueError(f"{data[0].size} rows cannot be paired with {data[-1].size}")
    value = float(statistic(*data, axis=-1))
    if all(np.ptp(column) == 0 for column in data):
        return Interval(value, value, value)
    with warnings.catch_warnings():
        # BCa is undefined if all rows but one agree; the percentile interval is the fallback.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        warnings.filterwarnings("ignore", "(invalid value|divide by zero) enc", RuntimeWarning)
        low, high = _bootstrap(data, statistic, options, "BCa")
    if not np.isfinite([low, high]).all():
        low, high = _bootstrap(data, statistic, options, "percentile")
    return Interval(value, low, high)


def unanimous(percent: float, rows: int, options: Bootstrap) -> Interval:
    """A rate of 0 or 100 percent of rows, with its exact interval (Clopper and Pearson 1934).

    A bootstrap of identical values would give an interval of width 0.
    """
    hits = round(rows * percent / 100)
    ends = stats.binomtest(hits, rows).proportion_ci(options.confidence, method="exact")
    return Interval(percent, 100 * float(ends.low), 100 * float(ends.high))


def paired_gain(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    options: Bootstrap,
    statistic: Statistic = np.mean,
) -> Interval:
    """The statistic of `after` minus that of `before`, both [columns][rows] over the same rows.

    For means, the interval is Student's for the mean of the differences. Differences are
    heavy-tailed and hardly skewed, where BCa, which corrects for skewness, under-covers: over 500
    samples of 200 differences of errors of log-normal prices, its 95 % interval held the true value
    in 89 % of the cases, Student's in 94 %.

    Raises:
        ValueError: different numbers of rows, or none.
    """
    if statistic is np.mean:
        (old,), (new,) = before, after
        if len(old) != len(new):
            raise ValueError(f"{len(old)} rows cannot be paired with {len(new)}")
        return _of_differences(np.asarray(new, dtype=float) - np.asarray(old, dtype=float), options)
    split = len(before)

    def difference(*columns: np.ndarray, axis: int) -> np.ndarray:
        return statistic(*columns[split:], axis=axis) - statistic(*columns[:split], axis=axis)

    return interval([*before, *after], options, difference)


def _of_differences(differences: np.ndarray, options: Bootstrap) -> Interval:
    if differences.size == 0:
        raise ValueError("no values")
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return Interval(mean, mean, mean)
    ends = stats.ttest_1samp(differences, 0).confidence_interval(options.confidence)
    return Interval(mean, float(ends.low), float(ends.high))


def _bootstrap(
    data: Sequence[np.ndarray], statistic: Statistic, options: Bootstrap, method: str
) -> tuple[float, float]:
    rows = data[0].size
    result = stats.bootstrap(
        data,
        statistic,
        paired=len(data) > 1,
        vectorized=True,
        n_resamples=options.resamples,
        batch=max(1, BATCH_VALUES // (rows * len(data))),
        confidence_level=options.confidence,
        method=method,
        rng=np.random.default_rng(options.seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
