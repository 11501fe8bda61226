"""Errors of price predictions: of single rows, and what they add up to."""

import math

import numpy as np

from finetune.core.schema import PriceScore


def price_error(prediction: float, price: float, options: PriceScore) -> dict[str, float]:
    """A row's scores.

    `absolute_error` in USD, and `hit`: 100 where it is within `hit_usd` or within `hit_share` of
    the price, else 0.

    Raises:
        ValueError: one of the two is not finite, or the prediction is negative.
    """
    if not (math.isfinite(prediction) and math.isfinite(price)):
        raise ValueError(f"prediction {prediction} or price {price} is not finite")
    if prediction < 0:
        raise ValueError(f"prediction {prediction} is negative")
    error = abs(prediction - price)
    hit = error <= options.hit_usd or error <= options.hit_share * price
    return {"absolute_error": error, "hit": 100.0 if hit else 0.0}


def rmsle(predictions: np.ndarray, prices: np.ndarray, axis: int = -1) -> np.ndarray:
    """Root mean squared difference of log(1 + USD); neither may be negative."""
    return np.sqrt(np.mean((np.log1p(predictions) - np.log1p(prices)) ** 2, axis=axis))


def r2(predictions: np.ndarray, prices: np.ndarray, axis: int = -1) -> np.ndarray:
    """The share of the prices' variance that predictions explain; below 0, worse than their mean.

    1 - Σ(price - prediction)² / Σ(price - mean price)². Where all prices are one: 1 if predictions
    are right, else 0, as in scikit-learn.
    """
    around = ((prices - prices.mean(axis=axis, keepdims=True)) ** 2).sum(axis=axis)
    left = ((prices - predictions) ** 2).sum(axis=axis)
    # Not `around > 0`: the mean of equal prices can be off by rounding.
    varies = np.ptp(prices, axis=axis) > 0
    return np.where(varies, 1 - left / np.where(varies, around, 1), left == 0)
