"""Several tests at once: adjusted p-values, and the level of the intervals that agree with them."""

from collections.abc import Sequence

import numpy as np
import scipy  # of it scipy.stats, which takes a second to import, once it is used

from finetune.scoring.row_values import BATCH_VALUES


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


def holm_confidences(p_values: Sequence[float], confidence: float) -> list[float]:
    """The confidence of each test's interval at which Holm's method tested it.

    Such an interval excludes zero exactly where the adjusted p-value is below 1 - confidence.
    """
    alpha, count = 1 - confidence, len(p_values)
    adjusted = holm(p_values)
    num_rejected = sum(p < alpha for p in adjusted)
    order = sorted(range(count), key=lambda i: p_values[i])
    confidences = [0.0] * count
    for rank, index in enumerate(order):
        remaining = count - min(rank, num_rejected)
        confidences[index] = 1 - alpha / max(1, remaining)
    return confidences


def westfall_young(
    p_values: Sequence[float],
    by_row: Sequence[np.ndarray],
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[list[float], float]:
    """Adjusted p-values of scores over the same rows, and the confidence of intervals like them.

    Single-step minP (Westfall and Young 1993): an adjusted p-value is the probability that the
    smallest p-value of all scores is at most this one where none differs. How the scores depend on
    each other comes from `by_row`, each score's differences [rows], whose signs are flipped row by
    row for all scores together. Scores that are nearly the same so count hardly more than one. An
    interval at the returned confidence excludes zero where the adjusted p-value is below
    1 - `confidence`.
    """
    if not p_values:
        return [], confidence
    deviations = np.stack([values - values.mean() for values in by_row], axis=1)
    norms = np.sqrt((deviations**2).sum(axis=0))
    scaled = deviations / np.where(norms > 0, norms, 1)
    rng = np.random.default_rng(seed)
    rows = len(scaled)
    smallest: list[np.ndarray] = []
    batch = max(1, BATCH_VALUES // rows)
    for start in range(0, resamples, batch):
        draws = min(batch, resamples - start)
        signs = 2.0 * rng.integers(0, 2, size=(draws, rows), dtype=np.int8) - 1.0
        # By the central limit theorem each is standard normal where its score varies.
        largest = np.abs(signs @ scaled).max(axis=1)
        smallest.append(2 * scipy.stats.norm.sf(largest))
    minima = np.sort(np.concatenate(smallest))
    adjusted = [
        max(p, (1 + int(np.searchsorted(minima, p, side="right"))) / (1 + resamples))
        for p in p_values
    ]
    # The largest p-value that is still significant after the adjustment.
    below = int(np.floor((1 - confidence) * (1 + resamples))) - 1
    level = float(minima[below]) if below >= 0 else 0.0
    return [min(1.0, p) for p in adjusted], 1 - min(level, 1 - confidence)
