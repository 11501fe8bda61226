import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from finetune.core.schema import Bootstrap
from finetune.scoring.bootstrap import Interval, interval, paired_gain
from finetune.scoring.paired import bootstrap_p, holm, p_value, permutation_p, rows_needed


def p_of(differences: Sequence[float], resamples: int, seed: int) -> float:
    return permutation_p([[0.0] * len(differences)], [list(differences)], resamples, seed)


def test_it_is_the_share_of_sign_flips_that_are_as_extreme():
    differences = [3.0, -1.0, 2.0, 5.0, -2.0, 4.0]
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product((-1, 1), repeat=6)]
    exact = np.mean([total >= abs(sum(differences)) for total in sums])
    assert p_of(differences, 100_000, seed=0) == pytest.approx(exact, abs=0.005)


def test_it_agrees_with_scipy():
    rng = np.random.default_rng(1)
    before = rng.normal(size=80)
    after = before + rng.normal(0.2, 1, size=80)
    theirs = stats.permutation_test(
        (before, after),
        lambda x, y, axis: np.mean(y - x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        rng=np.random.default_rng(2),
    ).pvalue
    assert permutation_p([before], [after], 20_000, seed=3) == pytest.approx(theirs, abs=0.01)


def test_the_seed_decides_and_p_is_never_zero():
    differences = np.random.default_rng(4).normal(5, 1, size=300)
    assert p_of(differences, 1000, seed=5) == p_of(differences, 1000, seed=5)
    assert p_of(differences, 1000, seed=5) == 1 / 1001


@pytest.mark.parametrize("differences", [[0.0, 0.0, 0.0], [1.0, -1.0], [0.0]])
def test_no_difference_is_not_surprising(differences):
    assert p_of(differences, 1000, seed=6) == 1


def test_rows_that_agree_change_nothing():
    differences = [3.0, -1.0, 2.0]
    padded = [*differences, *[0.0] * 1000]
    assert p_of(padded, 5000, seed=7) == p_of(differences, 5000, seed=7)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        p_of([], 100, seed=8)


def test_holm_as_in_its_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_equal_medians_of_errors_of_other_shapes_are_not_called_different():
    options = Bootstrap(resamples=400, confidence=0.95, seed=3)
    rng = np.random.default_rng(15)
    called = {"swapping": 0, "resampling": 0}
    for _ in range(200):
        before, after = (rng.lognormal(3, sigma, 100) for sigma in (0.2, 1.5))
        p = permutation_p([before], [after], 400, seed=4, statistic=np.median)
        called["swapping"] += p < 0.05
        called["resampling"] += p_value([before], [after], options, np.median) < 0.05
    # Swapping sides answers another question, which is why it is not asked of medians.
    assert called["swapping"] > 60
    assert called["resampling"] <= 16


def test_resampled_p_values_find_a_difference_and_are_never_zero():
    before = np.random.default_rng(16).lognormal(3, 1, 200)
    assert bootstrap_p([before], [before * 0.5], 999, 1, np.median) == 1 / 1000
    assert bootstrap_p([before], [before], 999, 1, np.median) == 1
    with pytest.raises(ValueError, match="no rows"):
        bootstrap_p([[]], [[]], 10, 1)


def test_another_statistic_is_compared_by_swapping_rows():
    rng = np.random.default_rng(13)
    before = rng.lognormal(3, 1, 200)
    after = before * 0.8

    def mean(values, axis):
        return np.mean(values, axis=axis)

    def p(new, statistic):
        return permutation_p([before], [new], 4000, seed=14, statistic=statistic)

    assert p(after, np.median) < 0.01
    assert p(before, np.median) == 1
    # A mean that does not know that it is one takes the long way to the same answer.
    close = before + rng.normal(0.4, 3, 200)
    assert p(close, mean) == pytest.approx(p(close, np.mean), abs=0.03)


def test_so_many_rows_show_the_difference_as_often_as_promised():
    rng = np.random.default_rng(9)
    options = Bootstrap(resamples=1000, confidence=0.95, seed=1)
    differences = rng.normal(0.25, 1, size=4000)
    found = interval([differences + 0.25 - differences.mean()], options)
    needed = rows_needed(found, 4000)
    assert needed == pytest.approx((2.8016 / 0.25) ** 2, rel=0.1)
    seen = [
        stats.ttest_1samp(rng.normal(0.25, 1, size=needed), 0).pvalue < 0.05 for _ in range(800)
    ]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("difference", [Interval(0, -1, 1), Interval(2, 2, 2)])
def test_what_cannot_be_seen_or_needs_no_seeing_has_no_number_of_rows(difference):
    assert rows_needed(difference, 100) is None


@pytest.mark.slow
def test_intervals_cover_a_known_difference_of_price_errors_as_often_as_they_say():
    rng = np.random.default_rng(18)
    options = Bootstrap(resamples=1000, confidence=0.95, seed=12)

    def errors(rows: int) -> np.ndarray:
        # As prices and relative errors are: both sides of a row share its price.
        prices = np.clip(rng.lognormal(4, 1, rows), 1, 999)
        return prices * abs(rng.normal(0, [[0.4], [0.3]], (2, rows)))

    before, after = errors(2_000_000)
    known = (after - before).mean()
    covered = 0
    for _ in range(1000):
        before, after = errors(200)
        found = paired_gain([before], [after], options)
        covered += found.low <= known <= found.high
    assert 930 <= covered <= 970


@pytest.mark.slow
def test_where_nothing_differs_a_difference_is_called_at_most_six_times_in_a_hundred():
    rng = np.random.default_rng(10)
    called = 0
    for draw in range(1000):
        # Skewed scores, as errors in USD are, and rows that are easy or hard for both.
        hard = rng.lognormal(3, 1, size=60)
        before, after = hard * rng.lognormal(0, 0.5, (2, 60))
        called += permutation_p([before], [after], 1000, seed=draw) < 0.05
    assert called <= 60


@pytest.mark.slow
def test_intervals_cover_a_known_difference_as_often_as_they_say():
    rng = np.random.default_rng(11)
    options = Bootstrap(resamples=1000, confidence=0.95, seed=12)
    covered = 0
    for _ in range(1000):
        before = rng.uniform(0, 100, size=150)
        gain = paired_gain([before], [before + rng.gamma(4, 1, size=150)], options)
        covered += gain.low <= 4 <= gain.high
    assert 930 <= covered <= 970
