import itertools
import random

import pytest

from finetune.core.errors import DataError
from finetune.core.schema import Bootstrap, Score
from finetune.scoring import summary
from finetune.tasks.classification.baselines import BASELINES, guess
from finetune.tasks.classification.scores import FLAGS, METRICS, score
from synthetic.rows import tickets

BY_NAME = {baseline.name: baseline for baseline in BASELINES}


def some(*labels: str) -> list[dict]:
    return [
        {"id": str(n), "text": f"the {label} matter of day {n}", "label": label}
        for n, label in enumerate(labels)
    ]


def splits(train: list[dict]) -> dict[str, list[dict]]:
    return {"train": train, "validation": some("a", "b"), "test": some("b", "a")}


@pytest.fixture(scope="module")
def embedded() -> dict[str, list[dict]]:
    rows = [
        {"id": str(n), **row}
        for n, row in enumerate(itertools.islice(tickets.rows(random.Random("test")), 900))
    ]
    return {"test": rows[:200], "validation": rows[200:300], "train": rows[300:]}


def metrics(name: str, embedded: dict[str, list[dict]]) -> dict:
    answers = BY_NAME[name].fit(embedded, Score())(embedded["test"])
    predictions = [{"prediction": prediction} for prediction in answers.predictions]
    scored = score(embedded["test"], predictions, Score())
    bootstrap = Bootstrap(resamples=100, confidence=0.95, seed=1)
    return summary.summary(METRICS, FLAGS, scored, bootstrap, answers.remarks, 0.05)


def test_the_majority_is_as_sure_as_it_is_frequent():
    answers = BY_NAME["majority"].fit(splits(some("b", "a", "b", "b")), Score())(some("a"))
    assert answers.predictions == [{"a": 0.25, "b": 0.75}]


def test_classifiers_are_better_than_the_majority_and_not_perfect(embedded):
    constant = metrics("majority", embedded)
    assert 20 < constant["accuracy"] < 45
    for name in ("logistic_regression", "neighbours"):
        of = metrics(name, embedded)
        assert 65 < of["accuracy"] < 92
        assert of["log_loss"] < 0.7 * constant["log_loss"]
    assert metrics("logistic_regression", embedded)["protocol"]["C_chosen_on"] == "validation"


@pytest.mark.parametrize("name", BY_NAME)
def test_predictions_are_distributions_over_the_labels_of_train(name):
    train = some(*"abcabcab")
    answers = BY_NAME[name].fit(splits(train), Score())(some("b", "c"))
    for distribution in answers.predictions:
        assert list(distribution) == ["a", "b", "c"]
        assert sum(distribution.values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", BY_NAME)
def test_no_baseline_reads_the_labels_that_it_predicts(name):
    answer = BY_NAME[name].fit(splits(some(*"abab")), Score())
    asked = some("a", "b")
    hidden = [{**row, "label": "?"} for row in asked]
    assert answer(asked) == answer(hidden)


def test_neighbours_give_every_label_some_probability():
    answer = BY_NAME["neighbours"].fit(splits(some(*"aaaaaaab")), Score())
    (distribution,) = answer(some("a")).predictions
    assert 0 < distribution["b"] < 0.1


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (some("a", "a", "a"), "all train rows have one label"),
        ([{"id": "1", "text": "!", "label": "a"}], "the 1 train rows share no words"),
    ],
)
def test_rows_that_teach_a_classifier_nothing_are_explained(train, said):
    with pytest.raises(DataError, match=said):
        BY_NAME["logistic_regression"].fit(splits(train), Score())


@pytest.mark.parametrize(("value", "label"), [(" a  b ", "a b"), (3, "3")])
def test_anybodys_answer_is_a_label(value, label):
    assert guess(value) == label


@pytest.mark.parametrize("value", ["", None, 0.5])
def test_what_is_no_label_is_no_guess(value):
    with pytest.raises(ValueError, match="label is"):
        guess(value)
