import itertools

import numpy as np
import pytest

from finetune.scoring import intervals, preference

CONFIDENCE = 0.95


def values(rng: np.random.Generator, rows: int, win: float, tie: float, raters: int) -> np.ndarray:
    """Rows' values where the second answer wins at a rate, from so many raters of each row."""
    drawn = rng.random((rows, raters))
    return np.where(drawn < win, 100.0, np.where(drawn < win + tie, 50.0, 0.0)).mean(axis=1)


@pytest.mark.parametrize(
    ("win", "tie", "raters"),
    [(0.5, 0, 1), (0.7, 0, 1), (0.9, 0, 1), (0.5, 0.3, 1), (0.2, 0.6, 1), (0.6, 0.2, 3)],
)
@pytest.mark.parametrize("rows", [20, 60])
def test_the_interval_holds_a_planted_win_rate(rows, win, tie, raters):
    rng = np.random.default_rng(rows)
    held = 0
    for _ in range(300):
        interval = preference.win_rate(values(rng, rows, win, tie, raters), CONFIDENCE)
        held += interval.low <= 100 * (win + tie / 2) <= interval.high
    assert held >= 0.92 * 300


def test_of_one_rater_without_ties_it_is_wilsons_interval_but_for_the_quantile():
    percent = np.array([100.0] * 70 + [0.0] * 30)
    ours, wilson = preference.win_rate(percent, 0.95), intervals.of_rate(list(percent), 0.95)
    assert ours.low < wilson.low < ours.mean < wilson.high < ours.high
    assert ours.high - ours.low == pytest.approx(wilson.high - wilson.low, rel=0.02)


def test_raters_who_repeat_each_other_do_not_make_the_interval_narrower():
    rng = np.random.default_rng(1)
    once = values(rng, 40, 0.6, 0.1, raters=1)
    # The same opinion three times over: a row's mean stays what it is.
    thrice = np.stack([once, once, once]).mean(axis=0)
    assert preference.win_rate(thrice, 0.95) == preference.win_rate(once, 0.95)


@pytest.mark.parametrize(
    ("percent", "low", "high"), [(0, 0, 7.2), (50, 46.4, 53.6), (100, 92.8, 100)]
)
def test_fifty_rows_that_all_agree_leave_room_for_some_that_do_not(percent, low, high):
    interval = preference.win_rate(np.full(50, float(percent)), 0.95)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.2)


def test_without_rows_there_is_no_rate():
    with pytest.raises(ValueError, match="no values"):
        preference.win_rate(np.array([]), 0.95)


def test_coins_are_significant_no_more_often_than_the_level_says():
    rng = np.random.default_rng(5)
    significant = sum(
        preference.sign_test(values(rng, 60, 0.4, 0.2, raters=2)).p < 0.05 for _ in range(400)
    )
    assert significant <= 0.05 * 400


def test_the_sign_test_counts_rows_and_leaves_out_those_without_a_preference():
    test = preference.sign_test(np.array([0, 25, 50, 50, 75, 100, 100, 100, 100, 100]))
    assert (test.first, test.neither, test.second, test.decided) == (2, 2, 6, 8)
    # Two or fewer of eight heads, or as few tails.
    assert test.p == pytest.approx(2 * (1 + 8 + 28) / 2**8)
    assert preference.sign_test(np.array([50.0, 50.0])).p == 1


def rated(table: list[str]) -> list[preference.Rating]:
    """Ratings of a table of letters, a text for each rater; blanks are none."""
    return [
        (rater, row, value)
        for rater, line in enumerate(table)
        for row, value in enumerate(line)
        if value != " "
    ]


def test_alpha_is_that_of_the_textbook():
    # Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", C: nominal, missing values.
    table = ["123321412   ", "1233224125 3", " 3332342251 ", "12332441251 "]
    assert preference.agreement(rated(table), 0.95).alpha == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize("seed", range(4))
def test_alpha_is_agreement_beyond_that_of_chance(seed):
    rng = np.random.default_rng(seed)
    table = ["".join(rng.choice(list("abt "), 25, p=[0.5, 0.2, 0.2, 0.1])) for _ in range(4)]
    found = preference.agreement(rated(table), 0.95)
    assert found.alpha == pytest.approx(
        (found.observed - found.by_chance) / (100 - found.by_chance)
    )
    assert found.interval.low < found.alpha < found.interval.high


def test_observed_agreement_is_of_pairs_of_ratings_of_a_row():
    found = preference.agreement(rated(["aabb", "aaba", "  b "]), 0.95)
    # Rows agree in 1 of 1, 1 of 1, 3 of 3 and 0 of 1 pairs, and weigh as their ratings.
    assert found.observed == pytest.approx(100 * (2 + 2 + 3 + 0) / 9)
    pairs = list(itertools.combinations("aaaabbbba", 2))
    assert found.by_chance == pytest.approx(100 * np.mean([one == other for one, other in pairs]))
    assert found.rows == 4


def test_raters_who_copy_agree_and_those_who_flip_coins_do_so_by_chance():
    rng = np.random.default_rng(0)
    coins = ["".join(rng.choice(list("abt"), 150)) for _ in range(2)]
    chance = preference.agreement(rated(coins), 0.95)
    assert chance.interval.low < 0 < chance.interval.high
    assert preference.agreement(rated([coins[0], coins[0]]), 0.95).alpha == 1


def test_the_interval_of_alpha_holds_what_many_rows_tend_to():
    def of(rng: np.random.Generator, rows: int) -> preference.Agreement:
        truth = rng.integers(3, size=rows)
        given = [np.where(rng.random(rows) < 0.7, truth, rng.integers(3, size=rows)) for _ in "ab"]
        return preference.agreement(rated(["".join(map(str, each)) for each in given]), 0.95)

    rng = np.random.default_rng(2)
    # Both raters know a row with probability 0.7 each, else they guess: 0.7² beyond chance.
    found = [of(rng, 40).interval for _ in range(100)]
    held = sum(interval.low <= 0.49 <= interval.high for interval in found)
    assert held >= 90


def test_one_rater_agrees_with_nobody_and_equal_ratings_say_nothing():
    assert preference.agreement(rated(["aabb"]), 0.95) is None
    assert preference.agreement(rated(["aa  ", "  bb"]), 0.95) is None
    alike = preference.agreement(rated(["aaa", "aaa"]), 0.95)
    assert (alike.observed, alike.by_chance, alike.alpha, alike.interval) == (100, 100, None, None)
