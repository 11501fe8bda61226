"""Errors of price predictions: of single rows, and over all rows."""

import math

import numpy as np


def price_error(
    prediction: float, price: float, hit_within: float, hit_fraction: float
) -> dict[str, float]:
    """A row's scores, from a prediction and a price.

    `absolute_error` is in their currency; `hit`, in percent, is 100 if the error is within
    `hit_within` or within `hit_fraction` of the price, else 0.

    Raises:
        ValueError: one of the two is not finite, or the prediction is negative.
    """
    if not (math.isfinite(prediction) and math.isfinite(price)):
        raise ValueError(f"prediction {prediction} or price {price} is not finite")
    if prediction < 0:
        raise ValueError(f"prediction {prediction} is negative")
    error = abs(prediction - price)
    hit = error <= hit_within or error <= hit_fraction * price
    return {"absolute_error": error, "hit": 100.0 if hit else 0.0}


def rmsle(predictions: np.ndarray, prices: np.ndarray, axis: int = -1) -> np.ndarray:
    """Root mean squared log error, of log(1 + price): from [..., rows], not negative, to [...]."""
    return np.sqrt(np.mean((np.log1p(predictions) - np.log1p(prices)) ** 2, axis=axis))


def r2(predictions: np.ndarray, prices: np.ndarray, axis: int = -1) -> np.ndarray:
    """The coefficient of determination R², from [..., rows] to [...].

    1 - Σ(price - prediction)² / Σ(price - mean price)²; negative if worse than the mean price. If
    all prices are equal: 1 for exact predictions, else 0, as in scikit-learn.
    """
    total = ((prices - prices.mean(axis=axis, keepdims=True)) ** 2).sum(axis=axis)
    residual = ((prices - predictions) ** 2).sum(axis=axis)
    # Not `total > 0`: the mean of equal prices can be off by rounding.
    varies = np.ptp(prices, axis=axis) > 0
    return np.where(varies, 1 - residual / np.where(varies, total, 1), residual == 0)
