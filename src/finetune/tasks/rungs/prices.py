"""Rungs of prices: constants of train, and regressions on the words of the description.

A regression's numbers stand in the code and not in params.yaml: it is a fixed mark to be measured
against. Where a rung may be fitted on the price or on its logarithm, the validation rows decide.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.core.errors import DataError
from finetune.core.schema import PriceScore
from finetune.tasks.rungs.rung import Answers, Row, Splits

SEED = 0
THREADS = 2
# From USD to what is fitted, and back.
Scale = tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]
PRICE: dict[str, Scale] = {"price": (np.asarray, np.asarray)}
PRICE_OR_LOG: dict[str, Scale] = {**PRICE, "log price": (np.log1p, np.expm1)}


def mean(splits: Splits, _: PriceScore) -> Answers:
    """The mean price of train for every row."""
    return Answers([statistics.fmean(_prices(splits["train"]))] * len(splits["test"]))


def median(splits: Splits, _: PriceScore) -> Answers:
    """The median price of train for every row: the best constant for absolute error."""
    return Answers([statistics.median(_prices(splits["train"]))] * len(splits["test"]))


def category_median(splits: Splits, _: PriceScore) -> Answers:
    """The median price of the row's category in train; of all of train where it has none there."""
    overall = statistics.median(_prices(splits["train"]))
    prices: dict[str, list[float]] = {}
    for row in splits["train"]:
        if row["category"] is not None:
            prices.setdefault(row["category"], []).append(row["price"])
    medians = {category: statistics.median(found) for category, found in prices.items()}
    return Answers([medians.get(row["category"], overall) for row in splits["test"]])


def ridge(splits: Splits, _: PriceScore) -> Answers:
    """Ridge regression on words and pairs of words.

    Of the price itself, whatever validation says: the published figures are of this fit. Validation
    would take the log price on the real rows, and lose by it, because test rows are dearer.
    """
    from sklearn.linear_model import Ridge

    return _regression(splits, _texts(splits, pairs=True), lambda: Ridge(alpha=1.0), PRICE)


def svr(splits: Splits, _: PriceScore) -> Answers:
    """Linear support vector regression on words and pairs of words: fits absolute error."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVR

    def model() -> Any:
        # C weighs errors in units of the target: standardized, it means the same on both scales.
        inner = LinearSVR(C=1.0, max_iter=5000, random_state=SEED)
        return TransformedTargetRegressor(inner, transformer=StandardScaler())

    return _regression(splits, _texts(splits, pairs=True), model, PRICE_OR_LOG)


def random_forest(splits: Splits, _: PriceScore) -> Answers:
    """A random forest on 50 directions of the space of words (latent semantic analysis).

    Trees look at one column at a time: on thousands of words, nearly all absent from a row, they
    take ten times as long for a larger error.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.ensemble import RandomForestRegressor

    features = _texts(splits, pairs=False)
    if features.train.shape[1] > 50:
        svd = TruncatedSVD(50, random_state=SEED).fit(features.train)
        features = features.mapped(svd.transform)
    return _regression(
        splits,
        features,
        lambda: RandomForestRegressor(
            100, max_features=0.2, min_samples_leaf=2, n_jobs=THREADS, random_state=SEED
        ),
        PRICE_OR_LOG,
    )


def boosting(splits: Splits, _: PriceScore) -> Answers:
    """Gradient boosted trees (LightGBM) on the thousand commonest words."""
    from lightgbm import LGBMRegressor

    def model() -> Any:
        # One thread: its threads wait busily for each other, which on a machine that has other
        # work as well takes a minute for what one does in a second.
        return LGBMRegressor(
            n_estimators=300, deterministic=True, force_row_wise=True, n_jobs=1,
            random_state=SEED, verbose=-1,
        )  # fmt: skip

    return _regression(splits, _texts(splits, pairs=False, most=1000), model, PRICE_OR_LOG)


def neighbours(splits: Splits, _: PriceScore) -> Answers:
    """The five rows of train with the most similar texts, weighted by their nearness."""
    from sklearn.neighbors import KNeighborsRegressor

    count = min(5, len(splits["train"]))
    return _regression(
        splits,
        _texts(splits, pairs=True),
        lambda: KNeighborsRegressor(count, metric="cosine", weights="distance", n_jobs=THREADS),
        PRICE_OR_LOG,
    )


@dataclass(frozen=True)
class _Features:
    """Matrices of the splits' rows, a row of numbers for each text."""

    train: Any
    validation: Any
    test: Any

    def mapped(self, change: Callable[[Any], Any]) -> "_Features":
        return _Features(change(self.train), change(self.validation), change(self.test))


def _texts(splits: Splits, pairs: bool, most: int | None = None) -> _Features:
    """TF-IDF of words, or of words and pairs of words, that stand in two rows of train or more.

    At most `most` of them, the commonest.
    """
    # scikit-learn takes a second to import, which the stages that run no such rung need not wait.
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2 if pairs else 1),
        min_df=2,
        max_features=most,
        sublinear_tf=True,
        # The default leaves out words of one character, and with them "4" and "V".
        token_pattern=r"\b\w+\b",
    )
    if len(splits["train"]) < 2:
        raise DataError(
            "ladder: a regression needs two train rows or more; take more (data.limit.train), or "
            "only constants into the task's ladder"
        )
    try:
        train = vectorizer.fit_transform([row["text"] for row in splits["train"]])
    except ValueError as error:
        raise DataError(
            f"ladder: the {len(splits['train'])} train rows share no words ({error}); take more "
            "rows (data.limit.train), or only constants into the task's ladder"
        ) from None
    others = [[row["text"] for row in splits[name]] for name in ("validation", "test")]
    return _Features(train, *map(vectorizer.transform, others))


def _regression(
    splits: Splits, features: _Features, model: Callable[[], Any], scales: dict[str, Scale]
) -> Answers:
    """A model of train, on the scale that has the least absolute error on validation."""
    train, validation = np.array(_prices(splits["train"])), np.array(_prices(splits["validation"]))
    best, found = np.inf, None
    for name, (forward, back) in scales.items():
        fitted = model().fit(features.train, forward(train))
        if hasattr(fitted, "estimators_"):
            # Of a forest's trees the threads add up in any order.
            fitted.set_params(n_jobs=1)

        def predict(rows: Any, fitted: Any = fitted, back: Any = back) -> np.ndarray:
            # A fit knows no bounds: nothing costs less than 0 or more than the dearest of train.
            return np.clip(back(fitted.predict(rows)), 0, train.max())

        error = np.abs(predict(features.validation) - validation).mean()
        if error < best:
            chosen = {"target": name, "target_chosen_on": "validation" if len(scales) > 1 else None}
            best, found = error, Answers(predict(features.test).tolist(), chosen)
    return found


def _prices(rows: list[Row]) -> list[float]:
    return [row["price"] for row in rows]
