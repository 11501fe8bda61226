import numpy as np
import pytest

from finetune.core.mixing import drawn

SOURCES = np.array([0] * 100 + [1] * 30 + [0] * 100 + [2] * 50)


@pytest.mark.parametrize(
    ("weights", "counts"),
    [
        ({0: 1, 1: 1, 2: 1}, (30, 30, 30)),
        ({0: 2, 1: 0.5, 2: 0.5}, (120, 30, 30)),
        ({0: 200, 1: 30, 2: 50}, (200, 30, 50)),
        ({0: 1, 1: 0.001, 2: 0.25}, (200, 1, 50)),
    ],
)
def test_sources_are_in_their_proportions_and_one_is_used_up(weights, counts):
    kept = drawn(SOURCES, weights, seed=1)
    assert tuple(int((SOURCES[kept] == source).sum()) for source in (0, 1, 2)) == counts


def test_the_same_seed_draws_the_same_rows_and_a_larger_weight_more_of_them():
    few, many = (drawn(SOURCES, {0: weight, 1: 1, 2: 1}, seed=1) for weight in (1, 3))
    assert (few == drawn(SOURCES, {0: 1, 1: 1, 2: 1}, seed=1)).all()
    assert (few != drawn(SOURCES, {0: 1, 1: 1, 2: 1}, seed=2)).any()
    assert (many[few]).all()


def test_a_source_without_rows_takes_none_from_the_others():
    kept = drawn(np.array([0, 0, 0]), {0: 1, 1: 5}, seed=1)
    assert kept.all()
