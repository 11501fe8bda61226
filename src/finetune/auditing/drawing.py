"""Which rows an audit recomputes, and how likely they hold one of those that somebody edited."""

import math
import random

import numpy as np
from scipy.stats import hypergeom


def positions(seed: int, task: str, split: str, total: int, count: int) -> list[int]:
    """The positions of `count` of `total` rows, in their order: each subset is equally likely."""
    return sorted(random.Random(f"{seed} {task} {split}").sample(range(total), count))


def num_edited(total: int, rate: float) -> int:
    """The fewest rows that are at least this rate of all: 10 of 200 at 0.05, and never none."""
    # Rounded: 0.07 * 100 is a little more than 7.
    return max(1, math.ceil(round(rate * total, 9)))


def probability(total: int, edited: int, drawn: int) -> float:
    """That at least one of the edited rows is among those drawn without replacement.

    1 - C(total - edited, drawn) / C(total, drawn): hypergeometric, whichever rows were edited,
    as long as whoever did it could not know the draw.
    """
    return float(hypergeom.sf(0, total, edited, drawn))


def num_drawn(total: int, edited: int, wanted: float) -> int:
    """The fewest rows to draw that hold an edited one with the wanted probability."""
    by_count = hypergeom.sf(0, total, edited, np.arange(total + 1))
    return int(np.argmax(by_count >= wanted))
