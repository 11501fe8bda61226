"""Rows and runs as they are drawn: scores in points, predictions of prices, summaries.

A configuration is trained with several seeds; a run is one of them. Every run answers the same
rows. `seed` is what a run's seed does to it, standard normal.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

# Of the differences of two runs in a row, in points of ROUGE-1; assumed.
ROW_SD = 15.4
RESIDUAL_SD = ROW_SD / 2**0.5
# Rows are easy or hard for every run: it cancels in differences.
EASE_SD = 10.0

Columns = dict[str, np.ndarray]
Shared = dict[str, np.ndarray]
Generator = np.random.Generator


def ease(rng: Generator, rows: int) -> np.ndarray:
    """How easy each row is, [rows], in points."""
    return EASE_SD * rng.normal(size=rows)


def points(
    rng: Generator,
    of_rows: np.ndarray,
    seeds: int,
    seed_sd: float,
    mean: float = 40.0,
    agreed: float = 0.0,
) -> np.ndarray:
    """Scores [seeds, rows] of a configuration: mean + ease of the row + seed + residual.

    Two runs' differences in a row have a standard deviation of `ROW_SD`, seeds apart. `agreed` is
    the fraction of the residual's variance that the seeds of a configuration share.
    """
    shape = (seeds, of_rows.size)
    residual = (1 - agreed) ** 0.5 * rng.normal(size=shape)
    if agreed:
        residual += agreed**0.5 * rng.normal(size=of_rows.size)
    return mean + of_rows + seed_sd * rng.normal(size=(seeds, 1)) + RESIDUAL_SD * residual


def prices(rng: Generator, rows: int) -> Shared:
    """Log-normal prices of 1 to 999 USD (median 100), and how misleading each text is."""
    price = np.clip(np.round(np.exp(rng.normal(np.log(100), 1.0, rows))), 1, 999)
    return {"price": price, "misleading": rng.normal(size=rows), "ease": rng.normal(size=rows)}


def price_run(
    rng: Generator, shared: Shared, seed: float, noise: float = 0.35, hit_rate: float = 0.35
) -> Columns:
    """Predictions off by a log-normal factor, clipped at 999: heavy-tailed errors in USD.

    Part of the factor is the text's, part (`noise`, 10 % more for a seed of 1) the run's own.
    """
    price = shared["price"]
    own = noise * np.exp(0.1 * seed) * rng.normal(size=price.size)
    prediction = np.clip(price * np.exp(0.45 * shared["misleading"] + own), 0, 999)
    error = abs(prediction - price)
    outside = 100 / (1 + np.exp(4 - shared["ease"] - 0.3 * seed - rng.normal(size=price.size)))
    return {
        "prediction": prediction,
        "reference": price,
        "absolute_error": error,
        "crps": error * rng.uniform(0.4, 0.9, price.size) + 0.05 * price,
        "hit": _of_rate(rng, shared["ease"], hit_rate, seed),
        "outside": outside,
    }


def summaries(rng: Generator, rows: int) -> Shared:
    """References of 5 to 60 words, and how easy each dialogue is."""
    words = np.clip(np.round(np.exp(rng.normal(3, 0.5, rows))), 5, 60)
    return {"words": words, "ease": rng.normal(size=rows)}


def summary_run(rng: Generator, shared: Shared, seed: float, gain: float = 0.0) -> Columns:
    """Scores of summaries: `gain` points better, as much rarer wrong, and longer."""
    words, easy = shared["words"], shared["ease"]
    residual = RESIDUAL_SD * rng.normal(size=words.size)
    tokens = np.round(1.4 * words)
    per_token = np.exp(0.5 - 0.02 * gain - 0.3 * easy + 0.01 * seed)
    factor = np.exp(rng.normal(-0.1 + 0.02 * gain + 0.02 * seed, 0.35, words.size))
    return {
        "rouge1": np.clip(40 + gain + EASE_SD * easy + 0.5 * seed + residual, 0, 100),
        "prediction_words": np.round(words * factor),
        "reference_words": words,
        "reference_nll": tokens * per_token * rng.gamma(20, 1 / 20, words.size),
        "reference_tokens": tokens,
        "has_unsupported": _of_rate(rng, easy, 0.14 - 0.01 * gain, seed),
        "rare": _of_rate(rng, easy, 0.02 - 0.002 * gain, seed),
    }


def _of_rate(rng: Generator, easy: np.ndarray, rate: float, seed: float) -> np.ndarray:
    """0 or 100 for each row, 100 about as often as `rate`; half of it depends on the row."""
    latent = 0.5**0.5 * (easy + rng.normal(size=easy.size)) + 0.05 * seed
    return 100.0 * (latent < stats.norm.ppf(rate))


@dataclass(frozen=True)
class Population:
    """Rows, and two configurations' runs over them that differ."""

    rows: Callable[[Generator, int], Shared]
    before: Callable[[Generator, Shared, float], Columns]
    after: Callable[[Generator, Shared, float], Columns]


SUMMARIES = Population(
    summaries, summary_run, lambda rng, shared, seed: summary_run(rng, shared, seed, gain=2)
)
PRICES = Population(
    prices,
    price_run,
    lambda rng, shared, seed: price_run(rng, shared, seed, noise=0.25, hit_rate=0.4),
)
