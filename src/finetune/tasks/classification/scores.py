"""How labels are scored: by whether they are right, and by the distribution that they come from."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finetune.core.schema import Bootstrap, Score
from finetune.scoring import draws
from finetune.scoring.metrics import (
    FLAGS as TEXT_FLAGS,
)
from finetune.scoring.metrics import (
    Flag,
    Group,
    Grouping,
    Metric,
    Prediction,
    Row,
    band,
    rounded,
)

# What a true label's probability is taken for at least: one mistake that is certain of itself would
# otherwise make the log loss of all rows infinite.
MIN_PROBABILITY = 1e-15
BINS = 10


def macro_f1(predictions: np.ndarray, labels: np.ndarray, axis: int = -1) -> np.ndarray:
    """The mean over labels of each one's F1, 0 to 100; F1 = 2 · right / (predicted + true).

    Over the labels that occur among `labels`, so that two models have the same ones: scikit-learn's
    `f1_score(…, labels=np.unique(labels), average="macro")`. Both are indices of labels, from 0
    on; -1 is a predicted label that no row has.

    Args:
        predictions: indices of predicted labels (…, rows).
        labels: indices of true labels, of the same shape.
        axis: along which rows lie.
    """
    chosen, true = (
        np.moveaxis(np.asarray(of), axis, -1).astype(np.int64) for of in (predictions, labels)
    )
    shape, rows = true.shape[:-1], true.shape[-1]
    chosen, true = chosen.reshape(-1, rows), true.reshape(-1, rows)
    # A place for each resample and label; the first is of -1.
    places = max(chosen.max(), true.max()) + 2
    offsets = 1 + places * np.arange(len(true))[:, None]

    def counts(of: np.ndarray) -> np.ndarray:
        counted = np.bincount((of + offsets).ravel(), minlength=len(true) * places)
        return counted.reshape(-1, places)[:, 1:]

    occurrences = counts(true)
    total = counts(chosen) + occurrences
    f1 = 2 * counts(np.where(chosen == true, true, -1)) / np.maximum(total, 1)
    mean = np.where(occurrences > 0, f1, 0).sum(-1) / (occurrences > 0).sum(-1)
    return 100 * mean.reshape(shape)


def calibration_error(confidence: np.ndarray, correct: np.ndarray, axis: int = -1) -> np.ndarray:
    """Expected calibration error in percent: mean |accuracy - mean confidence| of bins of rows.

    Rows are binned by confidence into 10 bins of equal width, which weigh as their rows. Naeini et
    al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning"; Guo et al. 2017, "On
    Calibration of Modern Neural Networks", with 15 bins. It is biased upwards, as the accuracy of a
    few rows is never quite their confidence: of 200 rows whose confidence is right it is about 5 %,
    of 2,000 2 %.

    Args:
        confidence: probability of the predicted label in percent (…, rows).
        correct: 100 where it is right, else 0, of the same shape.
        axis: along which rows lie.
    """
    percent, right = (np.moveaxis(np.asarray(of), axis, -1) for of in (confidence, correct))
    shape, rows = percent.shape[:-1], percent.shape[-1]
    percent, right = percent.reshape(-1, rows), right.reshape(-1, rows)
    offsets = BINS * np.arange(len(percent))[:, None]
    gaps = np.bincount(
        (confidence_bin(percent) + offsets).ravel(),
        weights=(right - percent).ravel(),
        minlength=len(percent) * BINS,
    )
    return (np.abs(gaps).reshape(-1, BINS).sum(-1) / rows).reshape(shape)


def confidence_bin(confidence: np.ndarray) -> np.ndarray:
    """The bin, from 0 on, of each confidence in percent; a bin holds its upper end."""
    return np.clip(np.ceil(confidence * BINS / 100).astype(np.int64) - 1, 0, BINS - 1)


METRICS = (
    Metric(
        key="accuracy",
        columns=("correct",),
        title="accuracy",
        meaning="rows whose most probable label is the true one",
        unit="%",
        decimals=1,
        is_rate=True,
        in_readme=True,
        in_groups=True,
    ),
    Metric(
        key="macro_f1",
        columns=("predicted_index", "label_index"),
        statistic=macro_f1,
        title="macro-F1",
        meaning="F1 of each label, averaged: rare labels count as much as frequent ones",
        unit="points",
        decimals=1,
        column="correct",
        in_readme=True,
    ),
    Metric(
        key="log_loss",
        columns=("log_loss",),
        title="log loss",
        meaning="negative log-likelihood of the true label; 0 is certain and right",
        unit="nats",
        decimals=3,
        higher_is_better=False,
        in_groups=True,
    ),
    Metric(
        key="calibration_error",
        columns=("confidence", "correct"),
        statistic=calibration_error,
        title="calibration error",
        meaning=f"how far confidence is from accuracy, on average over {BINS} bins of confidence",
        unit="%",
        decimals=1,
        higher_is_better=False,
    ),
    Metric(
        key="outside",
        columns=("outside",),
        title="mass on no label",
        meaning="probability of answers that are none of the labels",
        unit="%",
        higher_is_better=None,
    ),
    Metric(
        key="sampled_agreement",
        columns=("sampled_agreement",),
        title="agreement of samples",
        meaning="probability that two sampled answers to a row are the same label",
        unit="%",
        decimals=1,
        higher_is_better=None,
        is_percentage=True,
    ),
    draws.agreement_metric("pairs of draws of a row that give it the same label"),
)
FLAGS = (
    *TEXT_FLAGS,
    Flag(
        "unparsable",
        "no probability at all is on the labels",
        in_groups=True,
        is_no_answer=True,
        is_imputed=True,
    ),
)
# Lower ends of bands; support tickets have some 30 words.
WORDS = (0, 11, 26, 51, 101)


def _label(row: Row) -> Group:
    return 0, row["label"]


def _length(row: Row) -> Group:
    return band(len(row["text"].split()), WORDS, "words")


GROUPINGS = (Grouping("label", _label), Grouping("length", _length))


def score(
    rows: Sequence[Row], predictions: Sequence[Prediction], options: Score
) -> list[Prediction]:
    """Labels, scored by whether they are right; where there is a distribution, by that too.

    A prediction that is itself a distribution, label → probability, predicts its mode.
    """
    indices = {label: index for index, label in enumerate(sorted({row["label"] for row in rows}))}
    scored: list[Prediction] = []
    for row, prediction in zip(rows, predictions, strict=True):
        known = {"id": row["id"], "reference": row["label"]}
        answer = {**known, **_with_distribution(prediction, row["label"])}
        scored.append({**answer, **rounded(_scores(answer, indices))})
    return scored


def _with_distribution(prediction: Prediction, label: str) -> Prediction:
    distribution = prediction["prediction"]
    if not isinstance(distribution, Mapping):
        return prediction
    return {
        **prediction,
        "prediction": max(distribution, key=distribution.__getitem__),
        "probability": distribution.get(label, 0.0),
        "probabilities": distribution,
    }


def _scores(answer: Prediction, indices: Mapping[str, int]) -> dict[str, float]:
    """What metrics are of: percent, but for `log_loss` in nats and the indices of labels."""
    label, predicted = answer["reference"], answer["prediction"]
    scores = {
        "correct": 100.0 if predicted == label else 0.0,
        "label_index": indices[label],
        "predicted_index": indices.get(predicted, -1),
    }
    if "probabilities" in answer:
        scores["confidence"] = 100 * answer["probabilities"][predicted]
        scores["log_loss"] = -math.log(max(answer["probability"], MIN_PROBABILITY))
        on_labels = 1 - answer.get("outside", 0.0) / 100
        squares = sum(probability**2 for probability in answer["probabilities"].values())
        scores["sampled_agreement"] = 100 * on_labels**2 * squares
    return scores


def draw_agreement(pairs: Sequence[tuple[Prediction, Prediction]], options: Score) -> list[float]:
    """100 where two answers to a row are the same label."""
    return [100.0 * (one["prediction"] == other["prediction"]) for one, other in pairs]


def details(predictions: Sequence[Prediction], options: Bootstrap) -> dict[str, Any]:
    """Nothing beside the scores."""
    return {}
