"""Significance tests of paired differences, and the sample size that they would need."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from finetune.core.schema import Bootstrap
from finetune.scoring.bootstrap import BATCH_VALUES, Interval, Statistic

# Relative tolerance within which a resampled difference counts as equal to the observed one.
TIE = 1e-9


def p_value(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    options: Bootstrap,
    statistic: Statistic = np.mean,
) -> float:
    """Two-sided p-value of the paired difference of a statistic: by permutation or by bootstrap.

    `before` and `after` are the arguments of the statistic, [columns][rows], over the same rows. A
    permutation test assumes that the two sides are exchangeable. For medians that is too strong:
    two runs of equal median, but with errors of different shapes, would be rejected too often.

    Raises:
        ValueError: no rows.
    """
    test = bootstrap_p if statistic is np.median else permutation_p
    return test(before, after, options.resamples, options.seed, statistic)


def bootstrap_p(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    resamples: int,
    seed: int,
    statistic: Statistic = np.mean,
) -> float:
    """Two-sided p-value by bootstrap: twice the fraction of differences beyond zero.

    The arguments are those of `p_value`. p is never 0 (Davison and Hinkley 1997, 4.4).

    Raises:
        ValueError: no rows.
    """
    if len(before[0]) == 0:
        raise ValueError("no rows")
    old, new = (np.asarray(columns, dtype=float) for columns in (before, after))
    rows = old.shape[1]
    rng = np.random.default_rng(seed)
    below, above, batch = 0, 0, max(1, BATCH_VALUES // old.size)
    for start in range(0, resamples, batch):
        drawn = rng.integers(0, rows, size=(min(batch, resamples - start), rows))
        differences = statistic(*(column[drawn] for column in new), axis=-1) - statistic(
            *(column[drawn] for column in old), axis=-1
        )
        below += int((differences <= 0).sum())
        above += int((differences >= 0).sum())
    return min(1.0, (1 + 2 * min(below, above)) / (1 + resamples))


def permutation_p(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    resamples: int,
    seed: int,
    statistic: Statistic = np.mean,
) -> float:
    """Two-sided p-value by permutation: the two sides of each row are swapped at random.

    The arguments are those of `p_value`. Under the null hypothesis the sides of a row are
    exchangeable. The observed order counts as a permutation, so that p is never 0 (Phipson and
    Smyth 2010).

    Raises:
        ValueError: no rows.
    """
    if len(before[0]) == 0:
        raise ValueError("no rows")
    if statistic is np.mean:
        (old_values,), (new_values,) = before, after
        differences = np.asarray(new_values, dtype=float) - np.asarray(old_values, dtype=float)
        return _sign_flips_p(differences, resamples, seed)
    old, new = (np.asarray(columns, dtype=float) for columns in (before, after))
    rows = old.shape[1]
    observed = abs(statistic(*new, axis=-1) - statistic(*old, axis=-1))
    rng = np.random.default_rng(seed)
    extreme, batch = 0, max(1, BATCH_VALUES // old.size)
    for start in range(0, resamples, batch):
        is_swapped = rng.integers(0, 2, size=(min(batch, resamples - start), rows), dtype=bool)
        first = [np.where(is_swapped, b, a) for a, b in zip(old, new, strict=True)]
        second = [np.where(is_swapped, a, b) for a, b in zip(old, new, strict=True)]
        differences = abs(statistic(*second, axis=-1) - statistic(*first, axis=-1))
        extreme += int((differences >= observed * (1 - TIE)).sum())
    return (1 + extreme) / (1 + resamples)


def _sign_flips_p(differences: np.ndarray, resamples: int, seed: int) -> float:
    """`permutation_p` of a mean, from differences [rows]: a swap flips the sign of a difference."""
    # Zero differences do not depend on their sign.
    rows = differences[differences != 0]
    observed = abs(rows.sum())
    rng = np.random.default_rng(seed)
    extreme, batch = 0, max(1, BATCH_VALUES // max(1, rows.size))
    for start in range(0, resamples, batch):
        draws = min(batch, resamples - start)
        signs = 2.0 * rng.integers(0, 2, size=(draws, rows.size), dtype=np.int8) - 1.0
        extreme += int((abs(signs @ rows) >= observed * (1 - TIE)).sum())
    return (1 + extreme) / (1 + resamples)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-adjusted p-values, in the order of the given ones (Holm 1979).

    Comparing each with a level bounds the family-wise error rate by that level.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = highest
    return corrected


def rows_needed(
    difference: Interval,
    n: int,
    confidence: float = 0.95,
    needed: float | None = None,
    power: float = 0.8,
) -> int | None:
    """The number of rows at which a test would detect this difference with probability `power`.

    `difference` is an interval of level `confidence` over `n` rows. Normal approximation:
    ((z of `needed` + z of `power`) · standard error / difference)² · n. `needed` is the confidence
    level of the test, by default `confidence`. None if the difference or its spread is 0.
    """
    error = (difference.high - difference.low) / (2 * stats.norm.ppf(0.5 + confidence / 2))
    if difference.mean == 0 or error == 0:
        return None
    z = stats.norm.ppf(0.5 + (needed or confidence) / 2) + stats.norm.ppf(power)
    return math.ceil(n * (z * error / difference.mean) ** 2)
