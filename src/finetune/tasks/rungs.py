"""The ladder: what can be had without a language model. Which rungs run is the task's `ladder`.

A rung takes the prepared rows of each split and gives its predictions for the test rows.
"""

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

Row = dict[str, Any]
Splits = dict[str, list[Row]]


def lead3(splits: Splits) -> list[str]:
    """The first three lines that are not empty, whole, with their speakers' names."""
    return [" ".join(_lines(row)[:3]) for row in splits["test"]]


def longest3(splits: Splits) -> list[str]:
    """The three longest lines, in their order."""
    return [" ".join(_longest(_lines(row), 3)) for row in splits["test"]]


def mean(splits: Splits) -> list[float]:
    """The mean price of train for every row."""
    return [statistics.fmean(row["price"] for row in splits["train"])] * len(splits["test"])


def median(splits: Splits) -> list[float]:
    """The median price of train for every row: the best constant for absolute error."""
    return [statistics.median(row["price"] for row in splits["train"])] * len(splits["test"])


def ridge(splits: Splits) -> list[float]:
    """Ridge regression of the price on TF-IDF of words and pairs of words."""
    return _ridge(splits)


def ridge_log(splits: Splits) -> list[float]:
    """The same on the logarithm of the price: fits what is multiplicative, errs like a median."""
    return _ridge(splits, func=np.log1p, inverse_func=np.expm1)


def _ridge(splits: Splits, **scale: Any) -> list[float]:
    # scikit-learn takes a second to import, which the stages that run no such rung need not wait.
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    prices = np.array([row["price"] for row in splits["train"]])
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TransformedTargetRegressor(Ridge(alpha=1.0), **scale),
    )
    model.fit([row["text"] for row in splits["train"]], prices)
    predictions = model.predict([row["text"] for row in splits["test"]])
    # A linear fit knows no bounds: nothing costs less than 0 or more than the dearest of train.
    return np.clip(predictions, 0, prices.max()).tolist()


RUNGS: dict[str, Callable[[Splits], list[Any]]] = {
    "lead3": lead3,
    "longest3": longest3,
    "mean": mean,
    "median": median,
    "ridge": ridge,
    "ridge_log": ridge_log,
}


def _lines(row: Row) -> list[str]:
    return [line for line in row["dialogue"].split("\n") if line.strip()]


def _longest(lines: list[str], count: int) -> list[str]:
    # Of equally long lines the later ones: five in a hundred dialogues of SAMSum hang on it.
    by_length = sorted(range(len(lines)), key=lambda i: (-len(lines[i]), -i))
    return [lines[i] for i in sorted(by_length[:count])]
