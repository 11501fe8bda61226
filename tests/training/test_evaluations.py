import pytest

from finetune.training import evaluations
from finetune.training.evaluations import Evaluation, best, is_over, without_improvement


def of(*pairs: tuple[float, float | None]) -> list[Evaluation]:
    """Evaluations from losses and scores."""
    return [Evaluation(step, loss, 0.0, score) for step, (loss, score) in enumerate(pairs, 1)]


@pytest.mark.parametrize(
    ("done", "higher_is_better", "step"),
    [
        (of((3, None), (2, None), (2.5, None)), True, 2),
        (of((3, None), (2, None), (2, None)), True, 2),  # the first of equal ones
        (of((1, 10), (2, 30), (3, 20)), True, 2),
        (of((1, 10), (2, 30), (3, 5)), False, 3),
        (of((3, 10), (2, 10), (4, 10)), True, 2),  # of equal scores the lower loss
        (of((1, None), (9, -5)), True, 2),  # any score against none
        (of((9, 5), (1, None)), False, 1),
    ],
)
def test_the_best_evaluation_is_that_of_the_best_score_then_of_the_lowest_loss(
    done, higher_is_better, step
):
    assert best(done, higher_is_better).step == step


def test_evaluations_since_the_best_are_counted():
    done = of((3, None), (2, None), (2.5, None), (2.1, None))
    assert [without_improvement(done[: n + 1]) for n in range(4)] == [0, 0, 1, 2]
    assert not is_over(done, patience=3)
    assert is_over(done, patience=2)
    assert not is_over(done, patience=None)
    assert not is_over([], patience=1)


def test_evaluations_are_read_from_a_log():
    history = [
        {"step": 1, "loss": 3.0},
        {"step": 1, "eval_loss": 2.0, "eval_train_loss": 3.0},
        {"step": 2, "eval_loss": 1.0, "eval_train_loss": 2.5, "eval_score": 40.0},
    ]
    assert evaluations.of_history(history) == [
        Evaluation(1, 2.0, 3.0), Evaluation(2, 1.0, 2.5, 40.0),
    ]  # fmt: skip
