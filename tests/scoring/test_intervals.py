import numpy as np
import pytest

from finetune.core.schema import Bootstrap
from finetune.scoring import intervals
from finetune.scoring.intervals import Interval, interval
from finetune.scoring.paired import paired_gain

OPTIONS = Bootstrap(resamples=1000, confidence=0.95, seed=17)


def draw(seed: int, rows: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).normal(20, 5, rows)


def test_intervals_cover_the_true_mean_about_as_often_as_they_say():
    intervals = [interval([draw(seed)], OPTIONS) for seed in range(60)]
    covered = sum(each.low <= 20 <= each.high for each in intervals)
    assert 52 <= covered < 60
    # Normal theory: 2 · 1.96 · 5 / √60.
    widths = [each.high - each.low for each in intervals]
    assert np.mean(widths) == pytest.approx(2.53, rel=0.1)


def test_more_confidence_is_a_wider_interval():
    sure = OPTIONS.model_copy(update={"confidence": 0.99})
    wide, narrow = interval([draw(0)], sure), interval([draw(0)], OPTIONS)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


@pytest.mark.parametrize("values", [[3.5] * 10, [3.5], [0.0, 0.0]])
def test_where_all_rows_agree_the_ends_are_the_mean(values):
    mean = values[0]
    assert interval([values], OPTIONS) == Interval(mean, mean, mean)


def test_a_rate_of_none_or_all_leaves_room_for_rows_that_were_not_seen():
    # The rule of three: none of 32 is at most some 3.7 in 32, at both ends 95 % sure.
    none, every = intervals.of_rate([0.0] * 32, 0.95), intervals.of_rate([100.0] * 32, 0.95)
    assert none == Interval(0, 0, pytest.approx(10.888, abs=1e-3))
    assert every == Interval(100, pytest.approx(100 - 10.888, abs=1e-3), 100)


def test_a_rate_has_wilsons_interval():
    found = intervals.of_rate([100.0] * 3 + [0.0] * 97, 0.95)
    assert found == Interval(3, pytest.approx(1.0252, abs=1e-3), pytest.approx(8.4519, abs=1e-3))


def test_one_row_apart_from_all_others_still_has_finite_ends():
    found = interval([[0.0] * 50 + [100.0]], OPTIONS)
    assert 0 <= found.low < found.mean < found.high < 20


def test_two_rows_have_finite_ends():
    assert interval([[1.0, 2.0]], OPTIONS) == Interval(1.5, 1, 2)


def test_means_of_skewed_errors_are_held_as_often_as_they_say():
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(1000):
        found = interval([rng.lognormal(3, 1, 200)], OPTIONS)
        held += found.low <= np.exp(3.5) <= found.high
    # Student's own interval holds it in 91 to 92 of a hundred.
    assert 930 <= held <= 970


def test_a_mean_is_corrected_for_skewness_at_any_confidence():
    skewed = np.random.default_rng(7).lognormal(3, 1, 200)
    for confidence in (0.8, 0.95):
        options = OPTIONS.model_copy(update={"confidence": confidence})
        found = intervals.of_mean(skewed, confidence)
        assert found == interval([skewed], options)
        assert found.high - found.mean > found.mean - found.low
    other_way = intervals.of_mean(-skewed, 0.95)
    assert (-other_way.high, -other_way.low) == pytest.approx((found.low, found.high))


def test_no_rows_have_no_mean():
    with pytest.raises(ValueError, match="no values"):
        interval([[]], OPTIONS)


def test_the_gain_of_rows_that_all_move_alike_is_exact():
    before = list(map(float, range(10)))
    assert paired_gain([before], [[value + 2 for value in before]], OPTIONS) == Interval(2, 2, 2)
    # Of three rows it may be chance that all move alike.
    few = paired_gain([before[:3]], [[value + 2 for value in before[:3]]], OPTIONS)
    assert few == Interval(2, 0, 2)


def test_a_gain_is_paired_row_by_row():
    before = draw(1, 200)
    after = before + np.random.default_rng(2).normal(1, 0.1, 200)
    gain = paired_gain([before], [after], OPTIONS)
    # Rows vary by 5, their changes by 0.1: unpaired, a gain of 1 would drown.
    assert 0.97 < gain.low < gain.mean < gain.high < 1.03
    assert gain.mean == pytest.approx(after.mean() - before.mean())
    assert paired_gain([after], [before], OPTIONS).mean == pytest.approx(-gain.mean)


def test_rows_without_a_partner_cannot_be_paired():
    with pytest.raises(ValueError, match="3 rows cannot be paired with 2"):
        paired_gain([[1.0, 2.0, 3.0]], [[1.0, 2.0]], OPTIONS)


def test_a_metric_file_gets_four_decimals():
    assert Interval(1 / 3, 0.1, 2 / 3).rounded() == {"mean": 0.3333, "low": 0.1, "high": 0.6667}


def test_a_median_has_an_interval_as_a_mean_has():
    skewed = np.random.default_rng(3).lognormal(3, 1, 400)
    found = interval([skewed], OPTIONS, np.median)
    assert found.mean == np.median(skewed)
    assert found.low < found.mean < found.high < skewed.mean()


def test_a_statistic_of_two_columns_resamples_them_together():
    left = draw(4, 200)
    right = left + 1

    def difference_of_means(a, b, axis):
        return np.mean(b, axis=axis) - np.mean(a, axis=axis)

    found = interval([left, right], OPTIONS, difference_of_means)
    assert (found.low, found.high) == pytest.approx((1, 1))


def test_a_gain_of_a_statistic_is_the_difference_of_its_two_values():
    before, after = draw(5, 200), draw(5, 200) * 0.5
    found = paired_gain([before], [after], OPTIONS, np.median)
    assert found.mean == pytest.approx(np.median(after) - np.median(before))
    assert found.low < found.mean < found.high
    # Of means of normal values, the bootstrap comes close to Student's interval.
    short = paired_gain([before], [after], OPTIONS)
    long = paired_gain([before], [after], OPTIONS, lambda x, axis: np.mean(x, axis=axis))
    assert long.mean == pytest.approx(short.mean)
    assert (long.low, long.high) == pytest.approx((short.low, short.high), abs=0.1)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="3 rows cannot be paired with 2"):
        interval([[1.0, 2.0, 3.0], [1.0, 2.0]], OPTIONS, lambda a, b, axis: 0)
