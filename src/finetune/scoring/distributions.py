"""Point estimates from a distribution over the prices 0, 1, 2 … USD, and how good it is as such.

A distribution is an array of probabilities that sum to 1, its index the price.
"""

from typing import Any

import numpy as np

# Central ranges that the true price should lie in as often as their names say, in percent.
COVERAGES = (50, 90)
ESTIMATES = ("greedy", "top_k_mean", "median")


def greedy(distribution: np.ndarray) -> float:
    """The likeliest price; the lowest of several."""
    return float(distribution.argmax())


def top_k_mean(distribution: np.ndarray, top_k: int) -> float:
    """The mean of the likeliest prices, weighted by their probability, as public courses do it.

    It aims at squared error, as every mean does.
    """
    likeliest = np.argsort(-distribution, kind="stable")[:top_k]
    weights = distribution[likeliest]
    return float(likeliest @ weights / weights.sum())


def median(distribution: np.ndarray) -> float:
    """The smallest price with half of the mass at or below it: minimizes expected |error|."""
    return float(quantile(distribution, 0.5))


def quantile(distribution: np.ndarray, share: float) -> int:
    """The smallest price with this share of the mass at or below it."""
    cumulated = distribution.cumsum()
    return int(np.searchsorted(cumulated, share * cumulated[-1]))


def estimates(distribution: np.ndarray, top_k: int) -> dict[str, float]:
    """Each point estimate in USD, by the names that `eval.estimate` takes."""
    return {
        "greedy": greedy(distribution),
        "top_k_mean": top_k_mean(distribution, top_k),
        "median": median(distribution),
    }


def crps(distribution: np.ndarray, price: float) -> float:
    """Continuous ranked probability score in USD: E|X - price| - E|X - X'| / 2, lower is better.

    Of a distribution on one price it is the absolute error. Gneiting and Raftery 2007, "Strictly
    Proper Scoring Rules, Prediction, and Estimation"; E|X - X'| = 2 Σ F (1 - F) on integers.
    """
    cumulated = distribution.cumsum()
    error = distribution @ np.abs(np.arange(len(distribution)) - price)
    return float(error - cumulated @ (1 - cumulated))


def pit(distribution: np.ndarray, price: int) -> tuple[float, float]:
    """The mass below the true price, and the same with that on it: a span from 0 to 1.

    Over many rows these spans cover 0 to 1 evenly where distributions are calibrated: the
    probability integral transform for counts (Czado, Gneiting and Held 2009, "Predictive Model
    Assessment for Count Data").
    """
    below = float(distribution[:price].sum())
    return min(below, 1.0), min(below + float(distribution[price]), 1.0)


def covered(below: np.ndarray, upto: np.ndarray, level: float) -> np.ndarray:
    """The share of each span of `pit` that lies in the central range of a level, both 0 to 1.

    A share and not a yes or no: the ends of a central range fall within the mass of some price, and
    counting it as inside would cover too much by construction. For calibrated distributions the
    mean of these is the level.
    """
    low, high = (1 - level) / 2, (1 + level) / 2
    length = upto - below
    inside = np.clip(np.minimum(upto, high) - np.maximum(below, low), 0, None)
    is_point = length <= 0
    return np.where(
        is_point, (low <= below) & (below <= high), inside / np.where(is_point, 1, length)
    )


def quality(distribution: np.ndarray, price: float, dollars: int) -> dict[str, Any]:
    """A row's scores; `dollars` is the price as the distribution could have said it.

    `crps` in USD, `pit` the span, `covered_50` and `covered_90` in percent: see `covered`.
    """
    span = pit(distribution, dollars)
    inside = {
        f"covered_{percent}": round(100 * float(covered(*map(np.array, span), percent / 100)), 4)
        for percent in COVERAGES
    }
    return {
        "crps": round(crps(distribution, price), 4),
        "pit": [round(end, 6) for end in span],
        **inside,
    }
