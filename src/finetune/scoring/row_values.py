"""What each row contributes to a score: values whose mean is the score, whatever its statistic.

Differences of runs are tested on these, so that one test serves means, ratios, R² and medians.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy  # of it scipy.stats, which takes a second to import, once it is used
from numpy.lib.stride_tricks import sliding_window_view

from finetune.core.schema import Bootstrap

# Values held at once where rows are resampled or left out: 64 MB of doubles.
BATCH_VALUES = 8_000_000
# Each of more rows is left out of as many as this, not of all: that would take their square.
JACKKNIFE_ROWS = 5_000

# From arrays [..., rows] and `axis`, that of the rows, to the score [...].
Statistic = Callable[..., np.ndarray]


def row_values(
    columns: Sequence[Sequence[float]], options: Bootstrap, statistic: Statistic = np.mean
) -> np.ndarray:
    """The contribution [rows] of each row to the statistic of `columns`, [columns][rows].

    The value itself for a mean. For a smooth statistic the jackknife's pseudo-values (Tukey 1958),
    shifted to have the statistic as their mean. The jackknife fails for medians (Miller 1974): a
    row contributes the sign of its deviation there, scaled to the bootstrap's standard error.

    Of more than `JACKKNIFE_ROWS` rows each one's pseudo-value is that among every k-th row: it
    depends on the others by what they estimate, such as their mean, and thousands do that well.

    Raises:
        ValueError: no rows, or columns of different lengths.
    """
    data = [np.asarray(column, dtype=float) for column in columns]
    if data[0].size == 0:
        raise ValueError("no values")
    if len({column.size for column in data}) > 1:
        raise ValueError(f"{data[0].size} rows cannot be paired with {data[-1].size}")
    if statistic is np.mean:
        return data[0]
    score = float(statistic(*data, axis=-1))
    if statistic is np.median:
        deviations = np.sign(data[0] - score) * _standard_error_of_median(data[0])
        return score + (deviations - deviations.mean()) * np.sqrt(data[0].size)
    rows = data[0].size
    if rows == 1:
        return np.array([score])
    step = -(-rows // JACKKNIFE_ROWS)
    pseudo_values = np.empty(rows)
    for start in range(step):
        pseudo_values[start::step] = _pseudo_values([c[start::step] for c in data], statistic)
    return score + pseudo_values - pseudo_values.mean()


def _pseudo_values(data: Sequence[np.ndarray], statistic: Statistic) -> np.ndarray:
    rows = data[0].size
    score = float(statistic(*data, axis=-1))
    return rows * score - (rows - 1) * _without_each_row(data, statistic)


def _without_each_row(data: Sequence[np.ndarray], statistic: Statistic) -> np.ndarray:
    """The statistic [rows] of all rows but one, for each of them."""
    rows = data[0].size
    batch = max(1, BATCH_VALUES // rows)
    # The rows that follow one, and after the last the first ones: views, which copy nothing.
    others = [
        sliding_window_view(np.concatenate([column, column[:-1]])[1:], rows - 1) for column in data
    ]
    parts = [
        statistic(*(column[start : start + batch] for column in others), axis=-1)
        for start in range(0, rows, batch)
    ]
    return np.concatenate(parts)


def _standard_error_of_median(values: np.ndarray) -> float:
    """That of a bootstrap of values [rows] without end, which needs no resampling.

    The weights are the probabilities of each order statistic to be a resampled median (Maritz and
    Jarrett 1978), for an even number of rows those between the two in the middle.
    """
    rows, middle = values.size, (values.size + 1) / 2
    weights = np.diff(scipy.stats.beta.cdf(np.arange(rows + 1) / rows, middle, middle))
    ordered = np.sort(values)
    return float(np.sqrt(weights @ (ordered - weights @ ordered) ** 2))


def by_cluster(values: np.ndarray, clusters: Sequence[object]) -> np.ndarray:
    """Values [..., clusters] with the same mean as those of the rows, [..., rows].

    `clusters` names the cluster of each row. Rows of a cluster, such as near-duplicates, depend on
    each other; their sums do not, which is what a cluster-robust variance is made of (Liang and
    Zeger 1986).
    """
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    member = np.array([names[name] for name in clusters])
    mean = values.mean(axis=-1, keepdims=True)
    sums = np.zeros((*values.shape[:-1], len(names)))
    np.add.at(np.moveaxis(sums, -1, 0), member, np.moveaxis(values - mean, -1, 0))
    return mean + sums * (len(names) / values.shape[-1])
