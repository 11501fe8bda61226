"""How often the tests raise an alarm, with and without drift."""

import numpy as np
import pytest
import scipy.stats

from finetune.monitoring import drift
from finetune.monitoring.drift import Distributions, Rates

ALPHA = 0.05
RESAMPLES = 99


def given(log: np.ndarray, reference: np.ndarray) -> list[Distributions | Rates]:
    """Lengths, prices and missing answers of rows [n, 3]."""
    lengths, prices, empty = zip(log.T, reference.T, strict=True)
    hits = [(int(side.sum()), len(side)) for side in empty]
    return [
        Distributions("lengths", "characters", *(list(side) for side in lengths)),
        Distributions("prices", "USD", *(list(side) for side in prices)),
        Rates("no answer", *hits),
    ]


def rows(rng: np.random.Generator, count: int) -> np.ndarray:
    """Lengths and prices with many ties, dependent on each other, and a rare flag."""
    lengths = np.round(rng.lognormal(4, 0.6, count), -1)
    prices = np.round(rng.lognormal(3, 1, count) + lengths / 10)
    return np.column_stack([lengths, prices, rng.random(count) < 0.05])


def alarms(log: np.ndarray, reference: np.ndarray, seed: int) -> list[str]:
    compared = drift.compare(given(log, reference), seed, RESAMPLES)
    return [each.of.what for each in compared if each.adjusted < ALPHA]


def test_without_drift_alarms_are_as_rare_as_stated():
    rng = np.random.default_rng(1)
    pooled = rows(rng, 160)
    count = 200
    raised = 0
    for seed in range(count):
        halves = np.split(rng.permutation(pooled), 2)
        raised += bool(alarms(*halves, seed))
    # Neither more often than stated, beyond luck, nor never: a test that cannot raise one is none.
    assert raised <= scipy.stats.binom.ppf(0.999, count, ALPHA)
    assert raised >= 1


def test_ties_do_not_make_the_unadjusted_test_raise_more_alarms():
    rng = np.random.default_rng(2)
    count = 200
    values = rng.integers(0, 4, 120).astype(float)
    ps = []
    for seed in range(count):
        x, y = np.split(rng.permutation(values), 2)
        (one,) = drift.compare([Distributions("few", "", list(x), list(y))], seed, RESAMPLES)
        ps.append(one.p)
    assert np.mean(np.array(ps) < ALPHA) <= scipy.stats.binom.ppf(0.999, count, ALPHA) / count


@pytest.mark.parametrize(
    ("column", "change", "what"),
    [
        (0, lambda values: values * 1.6, "lengths"),
        (1, lambda values: values * 1.8, "prices"),
        (2, lambda values: np.arange(len(values)) < len(values) / 4, "no answer"),
    ],
)
def test_planted_drift_is_found_and_nothing_else(column, change, what):
    rng = np.random.default_rng(3)
    reference, log = rows(rng, 300), rows(rng, 300)
    assert alarms(log, reference, 0) == []
    log[:, column] = change(log[:, column])
    assert alarms(log, reference, 0) == [what]


def test_the_distance_is_that_of_kolmogorov_and_smirnov():
    rng = np.random.default_rng(4)
    for _ in range(20):
        x, y = rng.integers(0, 9, 30), rng.integers(1, 9, 17)
        expected = scipy.stats.ks_2samp(x, y).statistic
        assert drift.distance(x, y) == pytest.approx(expected)
    stacked = drift.distance(np.stack([x, x + 1]), np.stack([y, y]), axis=-1)
    assert stacked.shape == (2,)
    assert stacked[0] == pytest.approx(expected)


def test_effects_and_sides_are_said():
    lengths = Distributions("lengths", "", [3.0, 4.0, 5.0], [1.0, 2.0])
    rates = Rates("refused", (5, 10), (1, 10))
    first, second = drift.compare([lengths, rates], seed=0, resamples=99)
    assert (first.log, first.reference, first.effect) == (4.0, 1.5, 1.0)
    assert (second.log, second.reference) == (0.5, 0.1)
    assert second.effect == pytest.approx(0.4)
    assert first.adjusted >= first.p


def test_what_has_no_value_is_not_compared():
    assert drift.compare([Distributions("", "", [], [1.0]), Rates("", (0, 0), (1, 2))], 0) == []


def test_of_many_values_some_are_drawn():
    rng = np.random.default_rng(5)
    many = list(rng.normal(size=50_000))
    (one,) = drift.compare([Distributions("", "", many, list(rng.normal(0.2, 1, 5000)))], 0, 999)
    assert one.p < ALPHA
    assert one.effect == pytest.approx(0.08, abs=0.05)
