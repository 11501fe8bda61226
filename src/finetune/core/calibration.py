"""Coverage of central intervals of predictive distributions.

Here, and not in `scoring`, because predictions store it row by row: an edit of `scoring` must not
make a model predict again.
"""

import numpy as np


def covered(below: np.ndarray, upto: np.ndarray, level: float) -> np.ndarray:
    """The fraction of each interval (below, upto) within the central interval of a level, (rows,).

    These are the CDF just below and at the true value, the probability integral transform for
    counts (Czado, Gneiting and Held 2009, "Predictive Model Assessment for Count Data"); everything
    is in 0–1. A fraction, as the ends of a central interval fall within the mass of some value, and
    to count that as covered would over-cover by construction. The mean is the level for calibrated
    distributions.
    """
    low, high = (1 - level) / 2, (1 + level) / 2
    length = upto - below
    inside = np.clip(np.minimum(upto, high) - np.maximum(below, low), 0, None)
    is_point = length <= 0
    return np.where(
        is_point, (low <= below) & (below <= high), inside / np.where(is_point, 1, length)
    )
