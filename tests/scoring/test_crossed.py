import numpy as np
import pytest
from scipy import stats

from finetune.scoring import crossed
from finetune.scoring.crossed import concentration, difference, rank_p


def runs(seeds: int, rows: int, rng: np.random.Generator, seed_sd: float, mean: float = 50.0):
    """Scores [seeds, rows] of one configuration: hard and easy rows are the caller's to add."""
    return mean + seed_sd * rng.normal(size=(seeds, 1)) + 11 * rng.normal(size=(seeds, rows))


def test_one_run_a_side_is_students_paired_test():
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 1, 80))
    found = difference(before, after)
    theirs = stats.ttest_rel(after[0], before[0])
    ends = theirs.confidence_interval(0.9)
    assert found.p == pytest.approx(theirs.pvalue)
    interval = found.interval(0.9)
    assert (interval.low, interval.high) == pytest.approx((ends.low, ends.high))
    assert found.seed_variance is None
    assert found.seeds == (1, 1)
    assert found.rows == 80


def test_the_formula_by_hand():
    before = np.array([[1.0, 2.0, 4.0], [2.0, 2.0, 6.0]])
    after = np.array([[3.0, 3.0, 9.0], [2.0, 5.0, 7.0]])
    found = difference(before, after)
    by_row = np.array([1.0, 2.0, 3.0])
    row = by_row.var(ddof=1) / 3
    means = [7 / 3, 10 / 3], [15 / 3, 14 / 3]
    seed = (np.var(means[0], ddof=1) + np.var(means[1], ddof=1)) / 2 * (1 / 2 + 1 / 2)
    residuals = [
        of - of.mean(axis=1, keepdims=True) - of.mean(axis=0, keepdims=True) + of.mean()
        for of in (before, after)
    ]
    twice = sum((r**2).sum() for r in residuals) / (2 * 2) * (1 / 2 + 1 / 2) / 3
    variance = max(row + seed - twice, row, seed)
    assert found.mean == pytest.approx(2.0)
    assert found.standard_error == pytest.approx(variance**0.5)
    assert found.freedom == pytest.approx(variance**2 / (seed**2 / 2 + row**2 / 2))


def test_seeds_that_tie_leave_the_noise_of_rows():
    rng = np.random.default_rng(1)
    run = rng.normal(size=(1, 60))
    other = rng.normal(size=(1, 60))
    found = difference(np.repeat(run, 3, axis=0), np.repeat(other, 3, axis=0))
    alone = difference(run, other)
    assert found.standard_error == pytest.approx(alone.standard_error)
    assert found.standard_error > 0


def test_one_candidate_is_held_against_several_seeds():
    rng = np.random.default_rng(2)
    found = difference(runs(5, 200, rng, 1.0), runs(1, 200, rng, 1.0))
    assert found.seeds == (5, 1)
    assert found.seed_variance is not None
    # One seed a side hides what seeds do.
    hidden = difference(runs(1, 200, rng, 1.0), runs(1, 200, rng, 1.0))
    assert hidden.seed_variance is None


def test_a_baseline_has_no_seeds():
    rng = np.random.default_rng(8)
    baseline, tuned = np.zeros((1, 200)), runs(5, 200, rng, 2.0)
    fixed = difference(baseline, tuned, is_fixed=True)
    random = difference(baseline, tuned)
    assert fixed.seed_variance == pytest.approx(random.seed_variance / 6)
    assert fixed.standard_error < random.standard_error
    assert crossed.score(tuned).mean == pytest.approx(tuned.mean())
    with pytest.raises(ValueError, match="one run, not 5"):
        difference(tuned, tuned, is_fixed=True)


def test_the_interval_excludes_zero_exactly_where_p_is_small():
    rng = np.random.default_rng(3)
    for shift in np.linspace(-4, 4, 41):
        found = difference(runs(3, 100, rng, 0.5), runs(3, 100, rng, 0.5, 50 + shift))
        for confidence in (0.9, 0.95, 0.99):
            interval = found.interval(confidence)
            assert (found.p < 1 - confidence) == (not interval.low <= 0 <= interval.high)


def test_a_difference_of_the_detectable_size_is_found_as_often_as_promised():
    rng = np.random.default_rng(4)
    detectable = np.mean(
        [difference(*rng.normal(size=(2, 1, 200))).detectable(0.95) for _ in range(20)]
    )
    found = [
        difference(rng.normal(size=(1, 200)), rng.normal(detectable, 1, (1, 200))).p < 0.05
        for _ in range(600)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_equal_runs_do_not_differ_and_a_constant_difference_is_certain():
    same = np.ones((1, 10)) * 3
    assert difference(same, same).p == 1
    moved = difference(same, same + 2)
    assert moved.p == 2**-9
    assert moved.interval(0.95) == moved.interval(0.5)
    assert moved.mean == 2
    # Rounding is no noise, and no row differs from another by more than that.
    rows = np.random.default_rng(5).normal(50, 9, (1, 100))
    assert difference(rows, rows + 0.1).p < 1e-20


def test_a_rate_that_never_differed_still_leaves_room_for_rows_that_were_not_seen():
    none = np.zeros((1, 200))
    found = difference(none, none, is_rate=True)
    interval = found.interval(0.95)
    assert found.p == 1
    assert 0.5 < interval.high == -interval.low < 2
    assert difference(none, none).interval(0.95).high == 0


def test_rows_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="3 rows cannot be paired with 2"):
        difference(np.zeros((1, 3)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="no values"):
        difference(np.zeros((1, 0)), np.zeros((1, 0)))


def test_a_difference_that_rests_on_few_rows_is_seen_and_ranks_are_not_moved_by_them():
    rng = np.random.default_rng(6)
    normal = rng.normal(size=400)
    assert concentration(normal) < 0.25
    wild = normal.copy()
    wild[:4] = 400
    assert concentration(wild) > crossed.MOST
    assert min(rank_p(normal), rank_p(wild)) > 0.5
    assert rank_p(np.zeros(5)) == 1
    assert concentration(np.zeros(5)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(2, 2), (3, 3), (5, 5), (5, 1)])
def test_equal_configurations_differ_significantly_in_five_of_a_hundred_draws(seeds):
    rng = np.random.default_rng(7)
    significant = 0
    for _ in range(1500):
        rows = 11 * rng.normal(size=(1, 200))
        before, after = (rows + runs(count, 200, rng, 0.5) for count in seeds)
        significant += difference(before, after).p < 0.05
    assert significant / 1500 <= 0.075
