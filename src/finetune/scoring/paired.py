"""Paired differences: is their mean more than chance, and how many rows would show it?"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from finetune.core.schema import Bootstrap
from finetune.scoring.bootstrap import BATCH_VALUES, Interval, Statistic

# A difference that floating point cannot tell from the observed one is as extreme.
TIE = 1e-9


def p_value(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    options: Bootstrap,
    statistic: Statistic = np.mean,
) -> float:
    """Two-sided p-value of the paired difference of a statistic: by permutation, or by bootstrap.

    Swapping sides asks whether the two sides could be exchanged. Of medians that is another
    question: two runs with one median, but errors of other shapes, would differ more often than
    chance lets them.

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
    """Two-sided p-value by resampling rows: twice the share of differences on zero's other side.

    As with permutations, p is never 0 (Davison and Hinkley 1997, 4.4).

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
        found = statistic(*(column[drawn] for column in new), axis=-1) - statistic(
            *(column[drawn] for column in old), axis=-1
        )
        below += int((found <= 0).sum())
        above += int((found >= 0).sum())
    return min(1.0, (1 + 2 * min(below, above)) / (1 + resamples))


def permutation_p(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    resamples: int,
    seed: int,
    statistic: Statistic = np.mean,
) -> float:
    """Two-sided p-value of the difference of a statistic, by swapping rows' two sides at random.

    Where nothing differs, what `before` and `after` say of a row could as well be the other way
    round. The observed order counts as one of the draws, so that p is never 0 (Phipson and Smyth
    2010).

    Raises:
        ValueError: no rows.
    """
    if len(before[0]) == 0:
        raise ValueError("no rows")
    if statistic is np.mean:
        (old,), (new,) = before, after
        return _sign_flips_p(
            np.asarray(new, dtype=float) - np.asarray(old, dtype=float), resamples, seed
        )
    old, new = (np.asarray(columns, dtype=float) for columns in (before, after))
    rows = old.shape[1]
    observed = abs(statistic(*new, axis=-1) - statistic(*old, axis=-1))
    rng = np.random.default_rng(seed)
    extreme, batch = 0, max(1, BATCH_VALUES // old.size)
    for start in range(0, resamples, batch):
        is_swapped = rng.integers(0, 2, size=(min(batch, resamples - start), rows), dtype=bool)
        first = [np.where(is_swapped, b, a) for a, b in zip(old, new, strict=True)]
        second = [np.where(is_swapped, a, b) for a, b in zip(old, new, strict=True)]
        found = abs(statistic(*second, axis=-1) - statistic(*first, axis=-1))
        extreme += int((found >= observed * (1 - TIE)).sum())
    return (1 + extreme) / (1 + resamples)


def _sign_flips_p(differences: np.ndarray, resamples: int, seed: int) -> float:
    """The same for a mean: swapping a row's sides flips the sign of its difference."""
    # Rows without a difference have no sign to flip.
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
    """P-values corrected for being one of so many, in their own order (Holm 1979).

    Comparing each with the level keeps the chance of even one false finding below that level.
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
    """Rows at which a difference of this size would be seen as often as `power` says.

    From the width of its interval, of `confidence`, over `n` rows, which shrinks with the root of
    their number: the normal approximation ((z of `needed` + z of power) · standard error /
    difference)² · n. `needed` is the confidence that must be reached, where it is another one.
    None where there is no difference to be seen, or it has no spread.
    """
    error = (difference.high - difference.low) / (2 * stats.norm.ppf(0.5 + confidence / 2))
    if difference.mean == 0 or error == 0:
        return None
    z = stats.norm.ppf(0.5 + (needed or confidence) / 2) + stats.norm.ppf(power)
    return math.ceil(n * (z * error / difference.mean) ** 2)
