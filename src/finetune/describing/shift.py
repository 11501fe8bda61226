"""Whether train and test are alike: a classifier two-sample test, and differences of one number.

A classifier learns to tell rows of the one from rows of the other (Lopez-Paz and Oquab 2017,
"Revisiting classifier two-sample tests"). Its AUC on rows that it has not seen is the probability
that of a row of each split it takes the right one for that of test: 0.5 where they are alike.
"""

from collections.abc import Sequence

import numpy as np
import scipy  # of it scipy.stats, which takes a second to import, once it is used

from finetune.scoring.intervals import Interval

FOLDS = 5
# Of each split: fewer cannot be told from another by words.
LEAST_ROWS = 20
MAX_FEATURES = 20_000


def of_texts(
    train: Sequence[str], test: Sequence[str], seed: int, confidence: float
) -> Interval | None:
    """The AUC of a logistic regression on words and pairs of words, cross-validated.

    It learns from as many rows of the one as of the other. None where there are too few.
    """
    rows = min(len(train), len(test))
    if rows < LEAST_ROWS:
        return None
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline

    rng = np.random.default_rng(seed)
    texts = [
        split[i] for split in (train, test) for i in rng.choice(len(split), rows, replace=False)
    ]
    is_test = np.repeat([0, 1], rows)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    fitted = []
    for learned, held_out in folds.split(is_test, is_test):
        words = TfidfVectorizer(
            token_pattern=r"\w+|[^\w\s]",
            ngram_range=(1, 2),
            max_features=MAX_FEATURES,
            sublinear_tf=True,
        )
        model = make_pipeline(words, LogisticRegression(max_iter=300))
        model.fit([texts[i] for i in learned], is_test[learned])
        scores = model.decision_function([texts[i] for i in held_out])
        fitted.append((scores[is_test[held_out] == 0], scores[is_test[held_out] == 1]))
    return auc(fitted, confidence)


def of_numbers(train: np.ndarray, test: np.ndarray, confidence: float) -> Interval | None:
    """The probability that a number of test is above one of train, ties half; None for too few.

    NaN is left out.
    """
    one, other = (values[np.isfinite(values)] for values in (train, test))
    if min(one.size, other.size) < LEAST_ROWS:
        return None
    return auc([(one, other)], confidence)


def auc(folds: Sequence[tuple[np.ndarray, np.ndarray]], confidence: float) -> Interval:
    """The mean AUC over folds of scores of train and of test, with its interval.

    Each fold's variance is DeLong's (1988), the folds are taken as independent, as they share no
    rows (LeDell, Petersen and van der Laan 2015). The interval is one of the logit of the AUC.
    """
    aucs, variances = zip(*(_delong(train, test) for train, test in folds), strict=True)
    mean = float(np.mean(aucs))
    error = float(np.sqrt(np.sum(variances))) / len(folds)
    # At 0 and 1 the logit has no end: half a pair of rows is kept away from both.
    pairs = sum(train.size * test.size for train, test in folds)
    inner = float(np.clip(mean, 0.5 / pairs, 1 - 0.5 / pairs))
    margin = float(scipy.stats.norm.ppf(0.5 + confidence / 2)) * error / (inner * (1 - inner))
    low, high = (scipy.special.expit(scipy.special.logit(inner) + m) for m in (-margin, margin))
    return Interval(mean, min(float(low), mean), max(float(high), mean))


def _delong(train: np.ndarray, test: np.ndarray) -> tuple[float, float]:
    """The AUC, and its variance by DeLong, DeLong and Clarke-Pearson."""
    ranks = scipy.stats.rankdata(np.concatenate([train, test]))
    # For each row the fraction of the other split's that it is above, or below.
    above = (ranks[train.size :] - scipy.stats.rankdata(test)) / train.size
    below = 1 - (ranks[: train.size] - scipy.stats.rankdata(train)) / test.size
    variance = above.var(ddof=1) / test.size + below.var(ddof=1) / train.size
    return float(above.mean()), float(variance)
