"""Baselines of labels: the frequencies of train, and classifiers on the words of the text.

Each answers with a distribution over the labels of train, so that its log loss and calibration are
to be had as a model's are.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.core.errors import DataError
from finetune.core.schema import Score
from finetune.scoring.baselines import Answers, Baseline, Splits
from finetune.scoring.metrics import Row
from finetune.tasks.classification.rows import label_text
from finetune.tasks.classification.scores import MIN_PROBABILITY

# Inverse strengths of regularization that validation chooses from.
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
NEIGHBOURS = 5
# Rows to answers, once a baseline has been fitted.
Fitted = Callable[[Sequence[Row]], Answers]


def guess(value: object) -> str:
    """Somebody's own answer as a label.

    Raises:
        ValueError: it is neither text nor an integer, or blank.
    """
    return label_text(value)


def majority(splits: Splits, _: Score) -> Fitted:
    """The most frequent label of train for every row, and each as probable as it is frequent."""
    frequencies = _frequencies(splits["train"])
    return lambda rows: Answers([frequencies] * len(rows))


def logistic_regression(splits: Splits, _: Score) -> Fitted:
    """Logistic regression on words and pairs of words; validation chooses its regularization."""
    from sklearn.linear_model import LogisticRegression

    features = _texts(splits)
    if len(set(features.labels)) < 2:
        raise DataError(
            "baselines: all train rows have one label, which leaves a classifier nothing to learn; "
            "take logistic_regression out of the task's baselines, or more rows"
        )
    fits: list[tuple[float, float, Any]] = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000)
        model.fit(features.train, features.labels)
        loss = _log_loss(model, features.of(splits["validation"]), splits["validation"])
        fits.append((loss, strength, model))
    _loss, strength, best = min(fits, key=lambda fit: fit[0])
    remarks = {"C": strength, "C_chosen_on": "validation"}
    return lambda rows: Answers(_distributions(best, features.of(rows)), remarks)


def neighbours(splits: Splits, _: Score) -> Fitted:
    """The five rows of train with the most similar texts, weighted by their nearness.

    The label frequencies of train count as one neighbour more: no label has a probability of 0.
    """
    from sklearn.neighbors import KNeighborsClassifier

    features, frequencies = _texts(splits), _frequencies(splits["train"])
    count = min(NEIGHBOURS, len(splits["train"]))
    model = KNeighborsClassifier(count, metric="cosine", weights="distance")
    model.fit(features.train, features.labels)

    def answer(rows: Sequence[Row]) -> Answers:
        return Answers(
            [
                {
                    label: _rounded((count * near[label] + frequency) / (count + 1))
                    for label, frequency in frequencies.items()
                }
                for near in _distributions(model, features.of(rows))
            ]
        )

    return answer


BASELINES = (
    Baseline("majority", "one label: the most frequent", majority),
    Baseline("logistic_regression", "logistic regression on words", logistic_regression),
    Baseline("neighbours", "labels of the most alike", neighbours),
)


def _frequencies(rows: Sequence[Row]) -> dict[str, float]:
    """Each label of train with its frequency, in the labels' order."""
    counts = Counter(row["label"] for row in rows)
    return {label: _rounded(counts[label] / len(rows)) for label in sorted(counts)}


@dataclass(frozen=True)
class _Features:
    """The matrix (rows, words) and labels of train, and how other rows become such a matrix."""

    train: Any
    labels: list[str]
    of: Callable[[Sequence[Row]], Any]


def _texts(splits: Splits) -> _Features:
    """TF-IDF of words and pairs of words that stand in two rows of train or more."""
    # scikit-learn takes a second to import, which the stages that fit nothing need not wait.
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = splits["train"]
    # The default pattern leaves out words of one character.
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), min_df=min(2, len(rows)), sublinear_tf=True, token_pattern=r"\b\w+\b"
    )
    try:
        train = vectorizer.fit_transform([row["text"] for row in rows])
    except ValueError as error:
        raise DataError(
            f"baselines: the {len(rows)} train rows share no words ({error}); take more rows "
            "(data.limit.train), or only majority into the task's baselines"
        ) from None
    return _Features(
        train,
        [row["label"] for row in rows],
        lambda others: vectorizer.transform([row["text"] for row in others]),
    )


def _distributions(model: Any, matrix: Any) -> list[dict[str, float]]:
    """A fitted classifier's distribution over the labels of train for each row of a matrix."""
    labels = [str(label) for label in model.classes_]
    return [
        {label: _rounded(p) for label, p in zip(labels, of_row, strict=True)}
        for of_row in model.predict_proba(matrix)
    ]


def _log_loss(model: Any, matrix: Any, rows: Sequence[Row]) -> float:
    """The mean over rows; a label that train lacks costs each model the same."""

    def probability(distribution: Mapping[str, float], row: Row) -> float:
        return max(distribution.get(row["label"], 0.0), MIN_PROBABILITY)

    pairs = zip(_distributions(model, matrix), rows, strict=True)
    return float(-np.mean([np.log(probability(distribution, row)) for distribution, row in pairs]))


def _rounded(probability: float) -> float:
    """To significant digits: log loss tells 1e-7 from 1e-9."""
    return float(f"{probability:.6g}")
