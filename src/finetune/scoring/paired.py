"""Paired differences: is their mean more than chance, and how many rows would show it?"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

# Sign flips held at once: 64 MB of doubles, whatever the number of rows.
BATCH_VALUES = 8_000_000
# A difference that floating point cannot tell from the observed one is as extreme.
TIE = 1e-9


def permutation_p(differences: Sequence[float], resamples: int, seed: int) -> float:
    """Two-sided p-value of the mean paired difference, by flipping the signs of rows at random.

    Where nothing differs, each row's two scores could as well be swapped. The observed order counts
    as one of the draws, so that p is never 0 (Phipson and Smyth 2010).

    Raises:
        ValueError: no differences.
    """
    rows = np.asarray(differences, dtype=float)
    if rows.size == 0:
        raise ValueError("no differences")
    # Rows without a difference have no sign to flip.
    rows = rows[rows != 0]
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
    differences: Sequence[float], level: float = 0.05, power: float = 0.8
) -> int | None:
    """Rows at which a mean difference of this size would be seen so often as `power` says.

    The normal approximation for a paired test: ((z of 1 - level/2 + z of power) · sd / mean)².
    None where there is no difference to be seen, or it has no spread.
    """
    rows = np.asarray(differences, dtype=float)
    if rows.size < 2 or rows.mean() == 0 or rows.std(ddof=1) == 0:
        return None
    quantiles = stats.norm.ppf(1 - level / 2) + stats.norm.ppf(power)
    return math.ceil((quantiles * rows.std(ddof=1) / rows.mean()) ** 2)
