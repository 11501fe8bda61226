"""Scores of all rows that are no mean of the rows' scores: ratios of sums."""

import numpy as np


def ratio(tops: np.ndarray, bottoms: np.ndarray, axis: int = -1) -> np.ndarray:
    """Σ tops / Σ bottoms: for lengths, the mean of one over the mean of the other.

    0 where the bottoms sum to 0: rows whose references are all empty have no ratio.
    """
    top, bottom = tops.sum(axis=axis), bottoms.sum(axis=axis)
    return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1), 0.0)


def perplexity(nats: np.ndarray, tokens: np.ndarray, axis: int = -1) -> np.ndarray:
    """exp(Σ nats / Σ tokens): the mean number of tokens that a model wavers between."""
    return np.exp(ratio(nats, tokens, axis))
