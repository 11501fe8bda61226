"""Rows of several sources in given proportions."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def drawn(sources: NDArray[np.int64], weights: Mapping[int, float], seed: int) -> NDArray[np.bool_]:
    """Which rows stay so that their sources are in the proportions of these weights; (rows,).

    As many as there can be without repeating one, at least one of each source that has some.
    `sources` (rows,) says whose each row is, by a key of `weights`. For one seed a row that stays
    also does at a larger weight of its source beside the same others.
    """
    counts = {source: int((sources == source).sum()) for source in weights}
    scale = min((n / weights[source] for source, n in counts.items() if n), default=0.0)
    kept = np.zeros(len(sources), dtype=bool)
    for source, count in counts.items():
        if count:
            rows = np.flatnonzero(sources == source)
            wanted = min(count, max(1, round(scale * weights[source])))
            order = np.random.default_rng([seed, source]).permutation(count)
            kept[rows[order[:wanted]]] = True
    return kept
