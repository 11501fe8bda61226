"""Differences of two configurations with two sources of noise: which rows, and which seeds.

A configuration was run once or with several seeds; every run answers the same rows. Rows and seeds
are crossed: the model is score = configuration + row + seed + residual, seeds nested in the
configuration, both random.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # of it scipy.stats, which takes a second to import, once it is used

from finetune.scoring.intervals import Interval

# Relative to the scores: a standard error below this is rounding, not noise.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Difference:
    """Mean of after - before, with the standard error and degrees of freedom of Student's t.

    `rows` and `seeds` (before, after) are how many there were; `by_row` [rows] are the differences
    of the seeds' means. `row_variance` and `seed_variance` are of the mean difference; the latter
    is None for one run a side, where nothing is known of it.
    """

    mean: float
    standard_error: float
    freedom: float
    by_row: np.ndarray
    seeds: tuple[int, int]
    row_variance: float
    seed_variance: float | None

    @property
    def rows(self) -> int:
        return self.by_row.size

    @property
    def p(self) -> float:
        """The two-sided p-value of no difference; where all rows differ alike, of a sign test."""
        if self.standard_error == 0:
            return 1.0 if self.mean == 0 else 2.0 ** (1 - self.rows)
        return float(2 * scipy.stats.t.sf(abs(self.mean) / self.standard_error, self.freedom))

    def interval(self, confidence: float) -> Interval:
        """The difference with its confidence interval; zero is outside where p < 1 - confidence.

        Where all rows differ alike there is no width, so of rows too few to be sure it ends at 0.
        """
        if self.standard_error == 0 and self.p >= 1 - confidence:
            return Interval(self.mean, min(self.mean, 0.0), max(self.mean, 0.0))
        margin = self._quantile(0.5 + confidence / 2) * self.standard_error
        return Interval(self.mean, self.mean - margin, self.mean + margin)

    def detectable(self, confidence: float, power: float = 0.8) -> float:
        """The smallest true difference that a test would find with this probability.

        (t of 1 - α/2 + t of the power) · standard error, both of this many rows and seeds.
        """
        quantiles = self._quantile(0.5 + confidence / 2) + self._quantile(power)
        return float(quantiles * self.standard_error)

    def _quantile(self, probability: float) -> float:
        return float(scipy.stats.t.ppf(probability, self.freedom))


def difference(
    before: np.ndarray,
    after: np.ndarray,
    is_rate: bool = False,
    is_fixed: bool = False,
    alike: np.ndarray | None = None,
) -> Difference:
    """The difference of two configurations' mean scores, from their row values [seeds, rows].

    With d the per-row difference of the seeds' means:

        row   = Var(d) / rows
        seed  = s² (1/S_before + 1/S_after),  s² the pooled variance of the runs' mean scores
        twice = MS_residual (1/S_before + 1/S_after) / rows,  which both of these hold
        V     = max(row + seed - twice, row, seed)
        ν     = V² / (seed² / (S_before + S_after - 2) + row² / (rows - 1))

    The degrees of freedom ν are Satterthwaite's (1946). With one run a side V is `row`: the
    difference is that of two runs, and holds nothing of seeds. With `is_fixed`, `before` has one
    run and no seed, such as a baseline or a constant: then S_before is infinite. `alike` are row
    values [seeds, rows] of a further configuration, whose runs help to estimate what seeds do. Of a
    rate (values of 0 or 100) half a row is added to each cell of the table of pairs (Agresti and
    Min 2005), of several seeds as much less: without it, two runs that never disagree would have an
    interval of no width.

    Raises:
        ValueError: the two have different numbers of rows, or none; or what is fixed has seeds.
    """
    if before.shape[1] != after.shape[1]:
        raise ValueError(f"{before.shape[1]} rows cannot be paired with {after.shape[1]}")
    rows = before.shape[1]
    if rows == 0:
        raise ValueError("no values")
    seeds = (len(before), len(after))
    if is_fixed and seeds[0] != 1:
        raise ValueError(f"what is fixed has one run, not {seeds[0]}")
    rounding = ROUNDING * max(abs(before).max(), abs(after).max())
    by_row = after.mean(axis=0) - before.mean(axis=0)
    by_row = np.where(abs(by_row) <= rounding, 0.0, by_row)
    mean = float(by_row.mean())
    # Of a mean over seeds a row that was not seen would change as much less.
    unseen = (1 / seeds[0] + 1 / seeds[1]) / 2 if is_rate else 0.0
    row, row_freedom = _row_variance(by_row, unseen), max(rows - 1, 1)
    row = 0.0 if row <= rounding**2 else row
    runs = [values for values in (before, after, alike) if values is not None]
    freedom = sum(map(len, runs)) - len(runs)
    if freedom == 0:
        return Difference(mean, row**0.5, row_freedom, by_row, seeds, row, None)
    shrinking = (0 if is_fixed else 1 / seeds[0]) + 1 / seeds[1]
    seed = _seed_squares(runs) / freedom * shrinking
    seed = 0.0 if seed <= rounding**2 else seed
    residual = _residual_squares(runs) / (freedom * row_freedom)
    twice = residual * shrinking / rows
    variance = max(row + seed - twice, row, seed)
    if variance == 0:
        return Difference(mean, 0.0, row_freedom, by_row, seeds, row, seed)
    satterthwaite = variance**2 / (seed**2 / freedom + row**2 / row_freedom)
    return Difference(mean, variance**0.5, satterthwaite, by_row, seeds, row, seed)


def _row_variance(by_row: np.ndarray, unseen: float) -> float:
    """The variance of the mean of differences [rows].

    Twice `unseen` are rows that are added to those of a rate: a quarter each of +100 and -100, and
    half without a difference.
    """
    rows = by_row.size
    if unseen:
        whole = rows + 2 * unseen
        mean = by_row.sum() / whole
        return float(((by_row**2).sum() + unseen * 100**2) / whole - mean**2) / whole
    return float(by_row.var(ddof=1)) / rows if rows > 1 else 0.0


def _seed_squares(configurations: Sequence[np.ndarray]) -> float:
    """The sum of squared deviations of runs' mean scores from their configuration's."""
    means = [values.mean(axis=1) for values in configurations]
    return float(sum(((of - of.mean()) ** 2).sum() for of in means))


def _residual_squares(configurations: Sequence[np.ndarray]) -> float:
    """The sum of squares that neither rows nor runs explain, within configurations."""
    total = 0.0
    for values in configurations:
        by_run, by_row = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
        total += float(((values - by_run - by_row + values.mean()) ** 2).sum())
    return total


def score(values: np.ndarray) -> Difference:
    """A configuration's mean score over rows and seeds, from its row values [seeds, rows].

    As its difference to a constant 0, so that it comes with intervals of both sources of noise.
    """
    return difference(np.zeros((1, values.shape[1])), values, is_fixed=True)


# If so large a part of the variance comes from so few rows, the difference rests on these.
FEW_ROWS, MOST = 0.02, 0.5


def concentration(by_row: np.ndarray) -> float:
    """The fraction of the squared deviations that the 2 % of rows with the largest ones hold.

    0.13 for normal differences.
    """
    squares = np.sort((by_row - by_row.mean()) ** 2)[::-1]
    total = squares.sum()
    few = max(1, round(FEW_ROWS * squares.size))
    return float(squares[:few].sum() / total) if total > 0 else 0.0


def rank_p(by_row: np.ndarray) -> float:
    """Wilcoxon's signed-rank test of the rows' differences (1945), which few rows cannot carry."""
    if not by_row.any():
        return 1.0
    return float(scipy.stats.wilcoxon(by_row, zero_method="zsplit").pvalue)
