import random

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from finetune.describing import shift

WORDS = ("lamp", "desk", "chair", "brass", "wood", "light", "bulb", "table", "small", "large")


def texts(rng: random.Random, rows: int, more: str = "") -> list[str]:
    return [" ".join([*rng.choices(WORDS, k=12), more]) for _ in range(rows)]


def test_rows_of_one_source_cannot_be_told_apart():
    rng = random.Random(0)
    found = shift.of_texts(texts(rng, 300), texts(rng, 100), 0, 0.95)
    assert found is not None
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.2


def test_rows_of_different_sources_are_told_apart():
    rng = random.Random(0)
    mixed = texts(rng, 50) + texts(rng, 50, "discount")
    found = shift.of_texts(texts(rng, 100), mixed, 0, 0.95)
    assert found is not None
    assert 0.6 < found.low < found.mean < 0.9
    perfect = shift.of_texts(texts(rng, 40), ["discount"] * 40, 0, 0.95)
    assert perfect is not None
    assert perfect.mean == perfect.high == 1
    assert 0.9 < perfect.low < 1


def test_too_few_rows_say_nothing():
    rng = random.Random(0)
    few = shift.LEAST_ROWS - 1
    assert shift.of_texts(texts(rng, few), texts(rng, 50), 0, 0.95) is None
    assert shift.of_numbers(np.ones(few), np.ones(50), 0.95) is None
    assert shift.of_numbers(np.append(np.ones(few), np.nan), np.ones(50), 0.95) is None


def test_the_auc_of_numbers_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    train, test = rng.integers(0, 9, 60), rng.integers(2, 11, 40)
    found = shift.of_numbers(train.astype(float), test.astype(float), 0.95)
    assert found is not None
    truth = np.repeat([0, 1], [60, 40])
    assert found.mean == pytest.approx(roc_auc_score(truth, np.concatenate([train, test])))
    equal = shift.of_numbers(np.ones(30), np.ones(30), 0.95)
    assert equal is not None
    assert (equal.mean, equal.low, equal.high) == (0.5, 0.5, 0.5)


def test_the_interval_holds_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        found = shift.of_numbers(rng.normal(0, 1, 60), rng.normal(1, 1, 60), 0.95)
        assert found is not None
        held += found.low < 0.7602 < found.high  # Φ(1/√2)
    assert held == pytest.approx(285, abs=12)  # three standard errors
