"""Baselines of prices: constants of train, and regressions on the words of the description.

A regression's numbers stand in the code and not in params.yaml: it is a fixed mark to be measured
against. Where it may be fitted on the price or on its logarithm, the validation rows decide; the
two fits of ridge are a baseline each.
"""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.core.errors import DataError
from finetune.core.schema import Score
from finetune.scoring.baselines import Answers, Baseline, Splits
from finetune.scoring.metrics import Row
from finetune.tasks.price.rows import money

SEED = 0
# Of `basic_features`: so many names, each in so many rows of train or more.
NAMES, LEAST_NAMED = 50, 3
NAME = re.compile(r"\b[A-Z][A-Za-z]+\b")
NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
THREADS = 2
# From prices to what is fitted, and back.
Scale = tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]
PRICE: dict[str, Scale] = {"price": (np.asarray, np.asarray)}
LOG_PRICE: dict[str, Scale] = {"log price": (np.log1p, np.expm1)}
PRICE_OR_LOG: dict[str, Scale] = PRICE | LOG_PRICE
# Rows to answers, once a baseline has been fitted.
Fitted = Callable[[Sequence[Row]], Answers]


def guess(value: object) -> float:
    """Somebody's own answer: a number in the currency of the data.

    Text may be an amount of dollars too, whatever that currency: a guess comes without its task.

    Raises:
        ValueError: it is no price.
    """
    return money(value)


def mean(splits: Splits, _: Score) -> Fitted:
    """The mean price of train for every row."""
    return _constant(statistics.fmean(_prices(splits["train"])))


def median(splits: Splits, _: Score) -> Fitted:
    """The median price of train for every row: the best constant for absolute error."""
    return _constant(statistics.median(_prices(splits["train"])))


def category_median(splits: Splits, _: Score) -> Fitted:
    """The median price of the row's category in train; of all of train where it has none there."""
    overall = statistics.median(_prices(splits["train"]))
    prices: dict[str, list[float]] = {}
    for row in splits["train"]:
        if row["category"] is not None:
            prices.setdefault(row["category"], []).append(row["price"])
    medians = {category: statistics.median(known) for category, known in prices.items()}
    return lambda rows: Answers([medians.get(row["category"], overall) for row in rows])


def basic_features(splits: Splits, _: Score) -> Fitted:
    """Linear regression on a text's length, its numbers, and the commonest names.

    Names are capitalized words of the first line, of which the brand is mostly one.
    """
    from sklearn.linear_model import LinearRegression

    return _regression(splits, _basic_features(splits), LinearRegression, PRICE)


def ridge(splits: Splits, _: Score) -> Fitted:
    """Ridge regression of the price on words and pairs of words, as published figures are."""
    return _ridge(splits, PRICE)


def ridge_log(splits: Splits, _: Score) -> Fitted:
    """The same of log(1 + price): another fit, which errs by a factor, not by an amount."""
    return _ridge(splits, LOG_PRICE)


def _ridge(splits: Splits, scale: dict[str, Scale]) -> Fitted:
    from sklearn.linear_model import Ridge

    return _regression(splits, _texts(splits, pairs=True), lambda: Ridge(alpha=1.0), scale)


def svr(splits: Splits, _: Score) -> Fitted:
    """Linear support vector regression on words and pairs of words: fits absolute error."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVR

    def model() -> Any:
        # C weighs errors in units of the target: standardized, it means the same on both scales.
        inner = LinearSVR(C=1.0, max_iter=5000, random_state=SEED)
        return TransformedTargetRegressor(inner, transformer=StandardScaler())

    return _regression(splits, _texts(splits, pairs=True), model, PRICE_OR_LOG)


def random_forest(splits: Splits, _: Score) -> Fitted:
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


def boosting(splits: Splits, _: Score) -> Fitted:
    """Gradient boosted trees (LightGBM) on the thousand commonest words."""
    from lightgbm import LGBMRegressor

    def model() -> Any:
        # One thread: its threads wait busily for each other, which on a machine that has other
        # work as well takes a minute for what one does in a second.
        return LGBMRegressor(
            n_estimators=300, deterministic=True, force_row_wise=True, n_jobs=1,
            random_state=SEED, verbose=-1,
        )  # fmt: skip

    return _regression(splits, _texts(splits, pairs=False, max_words=1000), model, PRICE_OR_LOG)


def neighbours(splits: Splits, _: Score) -> Fitted:
    """The five rows of train with the most similar texts, weighted by their nearness."""
    from sklearn.neighbors import KNeighborsRegressor

    count = min(5, len(splits["train"]))
    return _regression(
        splits,
        _texts(splits, pairs=True),
        lambda: KNeighborsRegressor(count, metric="cosine", weights="distance", n_jobs=THREADS),
        PRICE_OR_LOG,
    )


BASELINES = (
    Baseline("mean", "one price: the mean of train", mean),
    Baseline("median", "one price: the median of train", median),
    Baseline("category_median", "the median of the category", category_median),
    Baseline("basic_features", "linear regression on length, numbers and names", basic_features),
    Baseline("ridge", "linear regression of the price on words", ridge),
    Baseline("ridge_log", "linear regression of log(1 + price) on words", ridge_log),
    Baseline("svr", "support vectors on words", svr),
    Baseline("random_forest", "decision trees on words", random_forest),
    Baseline("boosting", "boosted trees on words", boosting),
    Baseline("neighbours", "prices of the most alike", neighbours),
)


def _constant(price: float) -> Fitted:
    return lambda rows: Answers([price] * len(rows))


@dataclass(frozen=True)
class _Features:
    """Matrices (rows, words) of train and validation, and how others are made alike."""

    train: Any
    validation: Any
    of: Callable[[Sequence[Row]], Any]

    def mapped(self, change: Callable[[Any], Any]) -> "_Features":
        return _Features(
            change(self.train), change(self.validation), lambda rows: change(self.of(rows))
        )


def _basic_features(splits: Splits) -> _Features:
    """Logarithms of characters, words and the largest number, how many numbers, and names."""
    from sklearn.feature_extraction.text import CountVectorizer

    def title(row: Row) -> str:
        return row["text"].partition("\n")[0]

    titles = [title(row) for row in splits["train"]]
    counted = Counter(name for text in titles for name in dict.fromkeys(NAME.findall(text)))
    names = [name for name, count in counted.most_common(NAMES) if count >= LEAST_NAMED]
    vectorizer = CountVectorizer(
        vocabulary=sorted(names), binary=True, lowercase=False, token_pattern=NAME.pattern
    )

    def of(rows: Sequence[Row]) -> Any:
        values = []
        for row in rows:
            numbers = [float(number) for number in NUMBER.findall(row["text"])]
            sizes = (len(row["text"]), len(row["text"].split()), max(numbers, default=0))
            values.append([*np.log1p(sizes), len(numbers)])
        named = vectorizer.transform([title(row) for row in rows]).toarray() if names else []
        return np.hstack([np.array(values), np.array(named).reshape(len(rows), -1)])

    return _Features(of(splits["train"]), of(splits["validation"]), of)


def _texts(splits: Splits, pairs: bool, max_words: int | None = None) -> _Features:
    """TF-IDF of words, or of words and pairs of words, that stand in two rows of train or more.

    At most `max_words` of them, the commonest.
    """
    # scikit-learn takes a second to import, which the stages that fit nothing need not wait.
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2 if pairs else 1),
        min_df=2,
        max_features=max_words,
        sublinear_tf=True,
        # The default leaves out words of one character, and with them "4" and "V".
        token_pattern=r"\b\w+\b",
    )
    if len(splits["train"]) < 2:
        raise DataError(
            "baselines: a regression needs two train rows or more; take more (data.limit.train), "
            "or only constants into the task's baselines"
        )

    def of(rows: Sequence[Row]) -> Any:
        return vectorizer.transform([row["text"] for row in rows])

    try:
        train = vectorizer.fit_transform([row["text"] for row in splits["train"]])
    except ValueError as error:
        raise DataError(
            f"baselines: the {len(splits['train'])} train rows share no words ({error}); take more "
            "rows (data.limit.train), or only constants into the task's baselines"
        ) from None
    return _Features(train, of(splits["validation"]), of)


def _regression(
    splits: Splits, features: _Features, model: Callable[[], Any], scales: dict[str, Scale]
) -> Fitted:
    """A model of train, on the scale that has the least absolute error on validation."""
    train, validation = np.array(_prices(splits["train"])), np.array(_prices(splits["validation"]))
    fits: list[tuple[float, str, Callable[[Any], np.ndarray]]] = []
    for name, (forward, back) in scales.items():
        fitted = model().fit(features.train, forward(train))
        if hasattr(fitted, "estimators_"):
            # Of a forest's trees the threads add up in any order.
            fitted.set_params(n_jobs=1)

        def predict(matrix: Any, fitted: Any = fitted, back: Any = back) -> np.ndarray:
            # A fit knows no bounds: nothing costs less than 0 or more than the most expensive row.
            return np.clip(back(fitted.predict(matrix)), 0, train.max())

        error = float(np.abs(predict(features.validation) - validation).mean())
        fits.append((error, name, predict))
    _, name, best = min(fits, key=lambda fit: fit[0])
    remarks = {"target": name, "target_chosen_on": "validation" if len(scales) > 1 else None}
    return lambda rows: Answers(best(features.of(rows)).tolist(), remarks)


def _prices(rows: Sequence[Row]) -> list[float]:
    return [row["price"] for row in rows]
