import numpy as np
import pytest
from scipy import stats

from finetune.scoring.multiple import holm, holm_confidences, westfall_young


def test_holm_as_in_its_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_intervals_at_holms_levels_exclude_zero_exactly_where_it_rejects():
    rng = np.random.default_rng(0)
    for _ in range(300):
        z = rng.normal(size=4) * rng.choice([0.5, 2, 4], size=4)
        p_values = list(2 * stats.norm.sf(abs(z)))
        confidences = holm_confidences(p_values, 0.95)
        for value, adjusted, confidence in zip(z, holm(p_values), confidences, strict=True):
            assert (abs(value) > stats.norm.ppf(0.5 + confidence / 2)) == (adjusted < 0.05)
    assert holm_confidences([0.3], 0.95) == [0.95]
    assert holm_confidences([], 0.95) == []


def rows_of(correlation: float, rows: int = 300, scores: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    shared = rng.normal(size=rows)
    own = rng.normal(size=(scores, rows))
    return [correlation**0.5 * shared + (1 - correlation) ** 0.5 * each for each in own]


def test_scores_that_are_the_same_count_as_one_and_unrelated_ones_as_many():
    p_values = [0.02] * 6
    alike, _ = westfall_young(p_values, rows_of(1.0), 0.95, 4000, seed=2)
    unrelated, _ = westfall_young(p_values, rows_of(0.0), 0.95, 4000, seed=2)
    assert alike == pytest.approx([0.02] * 6, abs=0.006)
    assert unrelated == pytest.approx([1 - 0.98**6] * 6, abs=0.02)


def test_intervals_at_its_level_agree_with_its_p_values():
    by_row = rows_of(0.5)
    p_values = [0.001, 0.01, 0.02, 0.04, 0.3, 0.9]
    adjusted, confidence = westfall_young(p_values, by_row, 0.95, 4000, seed=3)
    for p, after in zip(p_values, adjusted, strict=True):
        assert (p < 1 - confidence) == (after < 0.05)
        assert after >= p
    assert 0.95 < confidence < 1 - 0.05 / 6 + 0.001


def test_one_score_is_not_adjusted_and_none_is_nothing():
    (adjusted,), confidence = westfall_young([0.04], rows_of(0.0, scores=1), 0.95, 4000, seed=4)
    assert adjusted == pytest.approx(0.04, abs=0.01)
    assert confidence == pytest.approx(0.95, abs=0.01)
    assert westfall_young([], [], 0.95, 100, seed=4) == ([], 0.95)


def test_scores_without_any_difference_are_not_significant():
    adjusted, _ = westfall_young([1.0, 1.0], [np.zeros(20), np.zeros(20)], 0.95, 500, seed=5)
    assert adjusted == [1.0, 1.0]
