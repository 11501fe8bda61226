import numpy as np
import pytest
from sklearn.metrics import f1_score

from finetune.core.schema import Bootstrap, Score
from finetune.scoring import groups, summary
from finetune.tasks.classification.scores import (
    FLAGS,
    GROUPINGS,
    METRICS,
    calibration_error,
    macro_f1,
    score,
)

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)


def row(label: str, number: int = 1, text: str = "a few words") -> dict:
    return {"id": str(number), "text": text, "label": label}


def asked(prediction: str, **probabilities: float) -> dict:
    return {"prediction": prediction, "probabilities": probabilities}


def test_a_label_is_scored_by_whether_it_is_right():
    rows = [row("b", 1), row("a", 2), row("b", 3)]
    scored = score(rows, [{"prediction": p} for p in ("b", "b", "other")], Score())
    assert [each["correct"] for each in scored] == [100, 0, 0]
    # Indices of the labels that rows have, in alphabetical order.
    assert [(each["label_index"], each["predicted_index"]) for each in scored] == [
        (1, 1), (0, 1), (1, -1),
    ]  # fmt: skip
    # Without a distribution there is nothing that asks for one.
    metrics = summary.scores(METRICS, FLAGS, scored, 0.05)
    assert set(metrics) == {"accuracy", "macro_f1", "n"}


def test_a_distribution_is_scored_by_the_true_labels_probability():
    answer = asked("a", a=0.7, b=0.3) | {"probability": 0.3, "outside": 1.5}
    (scored,) = score([row("b")], [answer], Score())
    assert scored["confidence"] == pytest.approx(70)
    assert scored["log_loss"] == pytest.approx(-np.log(0.3), abs=1e-4)
    assert summary.scores(METRICS, FLAGS, [scored], 0.05)["outside"] == 1.5


def test_a_distribution_as_a_prediction_predicts_its_mode():
    (scored,) = score([row("b")], [{"prediction": {"a": 0.2, "b": 0.8}}], Score())
    assert (scored["prediction"], scored["correct"], scored["confidence"]) == ("b", 100, 80)
    # A label that the baseline has never seen costs much, and not infinitely much.
    (scored,) = score([row("c")], [{"prediction": {"a": 0.2, "b": 0.8}}], Score())
    assert scored["log_loss"] == pytest.approx(-np.log(1e-15), abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_macro_f1_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels, predictions = rng.integers(0, 4, 60), rng.integers(-1, 5, 60)
    expected = 100 * f1_score(
        labels, predictions, labels=np.unique(labels), average="macro", zero_division=0
    )
    assert macro_f1(predictions.astype(float), labels.astype(float)) == pytest.approx(expected)


@pytest.mark.parametrize("statistic", [macro_f1, calibration_error])
def test_statistics_of_many_resamples_are_those_of_each(statistic):
    rng = np.random.default_rng(0)
    if statistic is macro_f1:
        # In some resamples a label does not occur.
        columns = rng.integers(-1, 3, (50, 12)), rng.integers(0, 3, (50, 12))
    else:
        columns = 100 * rng.random((50, 12)), 100 * rng.integers(0, 2, (50, 12))
    together = statistic(*columns, axis=-1)
    assert together.shape == (50,)
    alone = [statistic(first, second) for first, second in zip(*columns, strict=True)]
    np.testing.assert_allclose(together, alone)
    np.testing.assert_allclose(statistic(*(c.T for c in columns), axis=0), together)


def test_calibration_error_by_hand():
    # Two bins: (0.5, 0.6] with three rows of which one is right, (0.8, 0.9] with one, wrong.
    confidence, correct = np.array([60, 55, 57, 90.0]), np.array([100, 0, 0, 0.0])
    expected = (abs(100 - 60 - 55 - 57) + 90) / 4
    assert calibration_error(confidence, correct) == pytest.approx(expected)


def test_what_is_calibrated_has_an_error_that_vanishes_with_rows():
    rng = np.random.default_rng(0)
    confidence = 100 * rng.beta(4, 1, (100, 2000))
    correct = 100.0 * (rng.random(confidence.shape) < confidence / 100)
    few = calibration_error(confidence[:, :200], correct[:, :200]).mean()
    many = calibration_error(confidence, correct).mean()
    assert 3 < few < 7
    assert 1 < many < 2.5
    assert calibration_error(confidence, correct * 0).mean() == pytest.approx(80, abs=1)


def test_metrics_come_with_intervals_and_gains():
    rng = np.random.default_rng(0)
    rows = [row("abc"[n % 3], n) for n in range(60)]
    models = []
    for weight in (0.3, 3.0):
        answers = []
        for each in rows:
            logits = rng.normal(size=3) + weight * np.array([each["label"] == x for x in "abc"])
            weights = np.exp(logits) / np.exp(logits).sum()
            answers.append({"prediction": dict(zip("abc", weights.tolist(), strict=True))})
        models.append(score(rows, answers, Score()))
    found = summary.summary(METRICS, FLAGS, models[1], BOOTSTRAP, {}, 0.05)
    keys = {"accuracy", "macro_f1", "log_loss", "calibration_error", "sampled_agreement"}
    assert set(found["interval"]) == keys
    for key, ends in found["interval"].items():
        assert ends["low"] <= found[key] <= ends["high"]
    gain = summary.gain(METRICS, FLAGS, *models, BOOTSTRAP, 0.05)
    assert set(gain) == keys
    assert gain["accuracy"]["mean"] > 0 > gain["log_loss"]["mean"]
    assert gain["macro_f1"]["low"] > 0


def test_rows_are_grouped_by_label_and_by_length():
    rows = [row("a", 1), row("b", 2, "word " * 30)]
    scored = score(rows, [asked("a", a=0.9, b=0.1) | {"probability": 0.9},
                          asked("a", a=0.6, b=0.4) | {"probability": 0.4}], Score())  # fmt: skip
    table = list(groups.table(GROUPINGS, METRICS, FLAGS, rows, {"base": scored}, BOOTSTRAP, 0.05))
    assert [(line["group"], line["accuracy"]) for line in table] == [
        ("a", 100), ("b", 0), ("0–10 words", 100), ("26–50 words", 0),
    ]  # fmt: skip


def test_how_often_two_sampled_labels_agree_is_of_the_distribution_and_its_mass():
    prediction = {"prediction": "a", "probabilities": {"a": 0.7, "b": 0.3}, "probability": 0.7}
    whole, half = score(
        [row("a", 0), row("a", 1)], [prediction, {**prediction, "outside": 50.0}], Score()
    )
    assert whole["sampled_agreement"] == pytest.approx(100 * (0.7**2 + 0.3**2))
    assert half["sampled_agreement"] == pytest.approx(whole["sampled_agreement"] / 4)
