"""Rows of several sources in given proportions."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def sizes(counts: Sequence[int], weights: Sequence[float]) -> list[int]:
    """How many rows of each source there can be in the proportions of these weights.

    As many as there can be without repeating one, at least one of each source that has some.
    """
    pairs = list(zip(counts, weights, strict=True))
    scale = min((count / weight for count, weight in pairs if count), default=0.0)
    return [min(count, max(1, round(scale * weight))) if count else 0 for count, weight in pairs]


def drawn(sources: NDArray[np.int64], weights: Mapping[int, float], seed: int) -> NDArray[np.bool_]:
    """Which rows stay so that their sources are in the proportions of these weights; (rows,).

    So many of each as `sizes` says. `sources` (rows,) says whose each row is, by a key of
    `weights`. For one seed a row that stays also does at a larger weight of its source beside the
    same others.
    """
    kept = np.zeros(len(sources), dtype=bool)
    rows = {source: np.flatnonzero(sources == source) for source in weights}
    wanted = sizes([len(of) for of in rows.values()], list(weights.values()))
    for (source, of), size in zip(rows.items(), wanted, strict=True):
        order = np.random.default_rng([seed, source]).permutation(len(of))
        kept[of[order[:size]]] = True
    return kept
