"""Confidence intervals of means and of paired mean differences, by a seeded bootstrap over rows."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from finetune.params import Bootstrap

# Resampled values held at once: 64 MB of doubles, whatever the number of rows.
BATCH_VALUES = 8_000_000


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its confidence interval."""

    mean: float
    low: float
    high: float

    def rounded(self, digits: int = 4) -> dict[str, float]:
        """As it stands in a metric file."""
        return {name: round(value, digits) for name, value in asdict(self).items()}


def mean_interval(values: Sequence[float], options: Bootstrap) -> Interval:
    """The mean of rows' scores, bias-corrected and accelerated (BCa; Efron 1987).

    Where every row has one value there is nothing to resample, and the ends are the mean.

    Raises:
        ValueError: no values.
    """
    data = np.asarray(values, dtype=float)
    if data.size == 0:
        raise ValueError("no values")
    mean = float(data.mean())
    if data.size == 1 or np.ptp(data) == 0:
        return Interval(mean, mean, mean)
    with warnings.catch_warnings():
        # BCa is undefined where all but one row agree; the percentile interval then stands in.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        low, high = _bootstrap(data, options, "BCa")
    if not np.isfinite([low, high]).all():
        low, high = _bootstrap(data, options, "percentile")
    return Interval(mean, low, high)


def paired_gain(before: Sequence[float], after: Sequence[float], options: Bootstrap) -> Interval:
    """The mean of `after` - `before` over the same rows in the same order.

    Raises:
        ValueError: different numbers of rows, or none.
    """
    if len(before) != len(after):
        raise ValueError(f"{len(before)} rows cannot be paired with {len(after)}")
    return mean_interval(np.asarray(after, dtype=float) - np.asarray(before, dtype=float), options)


def _bootstrap(data: np.ndarray, options: Bootstrap, method: str) -> tuple[float, float]:
    result = stats.bootstrap(
        (data,),
        np.mean,
        vectorized=True,
        n_resamples=options.resamples,
        batch=max(1, BATCH_VALUES // data.size),
        confidence_level=options.confidence,
        method=method,
        rng=np.random.default_rng(options.seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
