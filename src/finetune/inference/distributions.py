"""Point estimates from predictive distributions over prices, and scores of these distributions.

A distribution is an array of probabilities [prices] that sum to 1; its index is the price, a whole
number of the unit that a task counts in. Estimates and scores are in that unit.
"""

import numpy as np

from finetune.core.calibration import covered

# Nominal coverages of central prediction intervals, in percent.
COVERAGES = (50, 90)
ESTIMATES = ("greedy", "top_k_mean", "median")


def greedy(distribution: np.ndarray) -> float:
    """The mode; the lowest of several."""
    return float(distribution.argmax())


def top_k_mean(distribution: np.ndarray, top_k: int) -> float:
    """The mean of the `top_k` likeliest prices, weighted by their probability.

    Common in public courses; as a mean, it targets squared error.
    """
    likeliest = np.argsort(-distribution, kind="stable")[:top_k]
    weights = distribution[likeliest]
    return float(likeliest @ weights / weights.sum())


def median(distribution: np.ndarray) -> float:
    """The median, which minimizes the expected absolute error."""
    return float(quantile(distribution, 0.5))


def laplace(location: float, log_scale: float, count: int) -> np.ndarray:
    """Probabilities of the prices 0 to `count` - 1, where log(1 + price) is Laplace distributed.

    Each has the mass of what rounds to it; what is beyond the ends belongs to them.
    """
    edges = (np.log1p(np.arange(count - 1) + 0.5) - location) / np.exp(log_scale)
    tail = np.exp(-np.abs(edges)) / 2
    below = np.where(edges < 0, tail, 1 - tail)
    return np.diff(below, prepend=0.0, append=1.0)


def quantile(distribution: np.ndarray, fraction: float) -> int:
    """The smallest price with at least this fraction (0–1) of the mass up to it."""
    cumulated = distribution.cumsum()
    return int(np.searchsorted(cumulated, fraction * cumulated[-1]))


def estimates(distribution: np.ndarray, top_k: int) -> dict[str, float]:
    """All point estimates, by the values of the parameter `eval.estimate`."""
    return {
        "greedy": greedy(distribution),
        "top_k_mean": top_k_mean(distribution, top_k),
        "median": median(distribution),
    }


def crps(distribution: np.ndarray, price: float) -> float:
    """Continuous ranked probability score: E|X - price| - E|X - X'| / 2, lower is better.

    For a distribution on one price it is the absolute error. Gneiting and Raftery 2007, "Strictly
    Proper Scoring Rules, Prediction, and Estimation"; E|X - X'| = 2 Σ F (1 - F) on integers.
    """
    cumulated = distribution.cumsum()
    error = distribution @ np.abs(np.arange(len(distribution)) - price)
    return float(error - cumulated @ (1 - cumulated))


def crps_charged(distribution: np.ndarray, outside: float, price: float) -> float:
    """The CRPS with the mass on no price, 0 to 1, where it does most harm; at least `crps`.

    `distribution` is normalized over the prices, so that its CRPS is as good with 1 % of a model's
    probability on prices as with all of it: mass on no price is free, and a model that keeps it for
    expensive products gains by that. Charged, the model is G = (1 - outside) F + outside δ, δ being
    all mass on one price: the one of the highest CRPS. That is one of the ends, the lowest or the
    highest price: ∫ (G(x) - [x ≥ price])² dx grows with the distance of δ from the true price on
    either side of it. As the CRPS is convex in the distribution, no other way to spend the mass on
    prices costs more, and spending it as the rest is spent, which is `crps`, costs no more.
    """
    worst = []
    for end in (0, -1):
        completed = (1 - outside) * distribution
        completed[end] += outside
        worst.append(crps(completed, price))
    return max(worst)


def repeated(distribution: np.ndarray | None, outside: float) -> float:
    """The probability, 0 to 1, that two independent answers are the same price: Σ p².

    `distribution` is normalized over the prices, None where no mass is on them, and `outside` the
    mass on no price, 0 to 1, on which no two answers agree. It is what the agreement of sampled
    answers tends to, without sampling: one minus the Gini-Simpson index.
    """
    if distribution is None:
        return 0.0
    return float((1 - outside) ** 2 * (distribution @ distribution))


def pit(distribution: np.ndarray, price: int) -> tuple[float, float]:
    """The probability integral transform of the true price: its CDF just below and at the price.

    For a discrete distribution the transform is an interval within 0–1. Averaged over rows, these
    intervals are uniform on 0–1 if the distributions are calibrated (Czado, Gneiting and Held 2009,
    "Predictive Model Assessment for Count Data").
    """
    below = float(distribution[:price].sum())
    return min(below, 1.0), min(below + float(distribution[price]), 1.0)


def quality(
    distribution: np.ndarray, price: float, nearest: int, unit: float = 1
) -> dict[str, float | list[float]]:
    """A row's scores; `nearest` is the whole number that the price comes closest to.

    `crps` is in what `price` times `unit` is in, `pit` the interval of `pit`, `covered_50` and
    `covered_90` the fractions of `covered` in percent.
    """
    below, upto = pit(distribution, nearest)
    inside = {
        f"covered_{percent}": round(
            100 * float(covered(np.array(below), np.array(upto), percent / 100)), 4
        )
        for percent in COVERAGES
    }
    return {
        "crps": round(unit * crps(distribution, price), 4),
        "pit": [round(below, 6), round(upto, 6)],
        **inside,
    }
