"""Corpus-level scores that are ratios of sums rather than means over rows."""

import numpy as np


def ratio(numerators: np.ndarray, denominators: np.ndarray, axis: int = -1) -> np.ndarray:
    """Σ numerators / Σ denominators over `axis`, from [..., rows] to [...].

    0 if the denominators sum to 0, as with references that are all empty.
    """
    above, below = numerators.sum(axis=axis), denominators.sum(axis=axis)
    return np.where(below > 0, above / np.where(below > 0, below, 1), 0.0)


def perplexity(nats: np.ndarray, tokens: np.ndarray, axis: int = -1) -> np.ndarray:
    """exp(Σ nats / Σ tokens) over `axis`; `nats` are negative log-likelihoods, [..., rows]."""
    return np.exp(ratio(nats, tokens, axis))
