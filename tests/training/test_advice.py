from dataclasses import replace

import pytest

from finetune.training.advice import Advice, advise
from finetune.training.evaluations import Evaluation


def run(validation: list[float], train: list[float]) -> list[Evaluation]:
    pairs = zip(validation, train, strict=True)
    return [Evaluation(10 * n, loss, of_train) for n, (loss, of_train) in enumerate(pairs, 1)]


def test_validation_loss_that_rises_while_training_loss_falls_is_overfitting():
    advice = advise(run([1.5, 1.2, 1.41], [1.6, 1.1, 0.6]), steps=40)
    assert advice.overfit
    assert advice.text == (
        "Validation loss was lowest at step 20 of 40 (1.200) and ended at 1.410 while training "
        "loss fell from 1.100 to 0.600: overfitting; fewer epochs, dropout, a lower learning rate "
        "or train.patience may help."
    )


def test_a_validation_loss_that_still_falls_asks_for_more():
    advice = advise(run([1.5, 1.3, 1.2], [1.6, 1.3, 1.2]), steps=30)
    assert not advice.overfit
    assert advice.text == (
        "Validation loss was still falling at the end, from 1.300 at step 20 to 1.200 at step 30 "
        "of 30: more epochs may help."
    )


@pytest.mark.parametrize(
    ("validation", "train"),
    [
        ([1.5, 1.2, 1.205], [1.6, 1.1, 0.9]),  # within noise
        ([1.5, 1.2, 1.195], [1.6, 1.1, 0.9]),  # a plateau
        ([1.5, 1.2, 1.9], [1.6, 1.1, 2.0]),  # it diverges: training loss rises too
        ([1.5], [1.6]),  # measured once
        ([], []),
    ],
)
def test_otherwise_there_is_nothing_to_say(validation, train):
    assert advise(run(validation, train), steps=30) == Advice()


def scored(run: list[Evaluation], scores: list[float | None]) -> list[Evaluation]:
    return [replace(each, score=score) for each, score in zip(run, scores, strict=True)]


FALLING = run([1.5, 1.3, 1.2], [1.6, 1.3, 1.2])
RISING = run([1.5, 1.2, 1.41], [1.6, 1.1, 0.6])


@pytest.mark.parametrize(
    ("scores", "higher_is_better", "is_advised"),
    [
        ([10.0, 20.0, 30.0], True, True),
        ([10.0, 30.0, 20.0], True, False),  # the score had stopped improving
        ([30.0, 20.0, 10.0], False, True),
        ([30.0, 10.0, 20.0], False, False),
        ([None, None, None], True, True),  # without any score the loss decides
    ],
)
def test_by_score_more_epochs_are_advised_only_while_it_improves(
    scores, higher_is_better, is_advised
):
    advice = advise(scored(FALLING, scores), 30, higher_is_better)
    assert ("more epochs may help" in advice.text) == is_advised


def test_a_run_that_stopped_early_is_not_advised_of_what_it_has():
    assert advise(FALLING, 50, stopped_early=True) == Advice()
    advice = advise(RISING, 50, stopped_early=True)
    assert advice.overfit
    assert advice.text.endswith("overfitting; dropout or a lower learning rate may help.")


def test_where_the_score_is_best_at_the_end_no_shorter_run_is_advised():
    advice = advise(scored(RISING, [10.0, 20.0, 30.0]), 30)
    assert advice.overfit
    assert advice.text.endswith("but the score that adapters are chosen by was best at the end.")
