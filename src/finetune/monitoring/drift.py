"""Two-sample tests of what was logged against what a model was trained and scored on.

Distributions are compared by the Kolmogorov-Smirnov statistic, whose p-value is that of
permutations: its tables are for values without ties, and numbers of characters and prices have
many. Rates are compared by Fisher's exact test. p-values are Holm-adjusted over all comparisons of
a call, so that a call without any drift raises an alarm with at most the probability stated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # of it scipy.stats, which takes a second to import, once it is used

from finetune.scoring import multiple

RESAMPLES = 1999
BATCH = 100
# Values of a sample at most, drawn at random: what more of them would find is too small to matter.
MOST_VALUES = 1000


@dataclass(frozen=True)
class Distributions:
    """A sample of numbers of the log, and the reference sample."""

    what: str
    unit: str
    log: Sequence[float]
    reference: Sequence[float]


@dataclass(frozen=True)
class Rates:
    """How many have a property, as (hits, total): requests of the log, and of the reference."""

    what: str
    log: tuple[int, int]
    reference: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """A test; `effect` is the Kolmogorov-Smirnov distance, or the difference of rates, in [0, 1].

    log, reference: medians of distributions, and rates as fractions.
    """

    of: Distributions | Rates
    log: float
    reference: float
    effect: float
    p: float
    adjusted: float


def compare(
    given: Sequence[Distributions | Rates], seed: int, resamples: int = RESAMPLES
) -> list[Comparison]:
    """The tests of all that is given, in its order; what holds no value on a side is left out."""
    rng = np.random.default_rng(seed)
    tested = [
        _distributions(each, rng, resamples) if isinstance(each, Distributions) else _rates(each)
        for each in given
        if _has_values(each)
    ]
    adjusted = multiple.holm([each.p for each in tested])
    return [
        Comparison(each.of, each.log, each.reference, each.effect, each.p, p)
        for each, p in zip(tested, adjusted, strict=True)
    ]


def _has_values(given: Distributions | Rates) -> bool:
    if isinstance(given, Distributions):
        return bool(given.log) and bool(given.reference)
    return given.log[1] > 0 and given.reference[1] > 0


def _distributions(given: Distributions, rng: np.random.Generator, resamples: int) -> Comparison:
    samples = [_drawn(values, rng) for values in (given.log, given.reference)]
    test = scipy.stats.permutation_test(
        samples, distance, vectorized=True, n_resamples=resamples, batch=BATCH,
        alternative="greater", rng=rng,
    )  # fmt: skip
    log, reference = (float(np.median(values)) for values in (given.log, given.reference))
    p = float(test.pvalue)
    return Comparison(given, log, reference, float(test.statistic), p, p)


def _drawn(values: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if len(array) <= MOST_VALUES:
        return array
    return rng.choice(array, MOST_VALUES, replace=False)


def distance(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """The largest difference of the empirical distribution functions of x and y along an axis."""
    x, y = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    both = np.concatenate([x, y], axis=-1)
    order = both.argsort(axis=-1, kind="stable")
    steps = np.where(order < x.shape[-1], 1 / x.shape[-1], -1 / y.shape[-1])
    ordered = np.take_along_axis(both, order, axis=-1)
    # Of values that are equal the functions are compared behind the last one.
    is_last = np.ones(both.shape, dtype=bool)
    is_last[..., :-1] = ordered[..., 1:] > ordered[..., :-1]
    return np.where(is_last, np.abs(steps.cumsum(axis=-1)), 0.0).max(axis=-1)


def _rates(given: Rates) -> Comparison:
    table = [[hits, count - hits] for hits, count in (given.log, given.reference)]
    p = float(scipy.stats.fisher_exact(table).pvalue)
    log, reference = (hits / count for hits, count in (given.log, given.reference))
    return Comparison(given, log, reference, abs(log - reference), p, p)
