"""What `finetune compare --ratings` says of raters whose preference is known."""

import numpy as np
from numpy.random import Generator

from finetune.scoring import preference
from simulations.tables import LEVEL, OPTIONS, Table, amount, rate

ROWS = (20, 50, 200)
RATERS = (1, 3)
# How often a rater prefers the second answer of a row on average, and how often there is a tie.
# In the first three cases neither answer is preferred.
PREFERENCES = ((0.5, 0.0), (0.35, 0.3), (0.1, 0.8), (0.65, 0.0), (0.5, 0.3), (0.9, 0.0))
# Raters of one row agree with each other: its own preference is spread as this beta distribution.
CONCENTRATION = 2.0


def ratings(draws: int, rng: Generator) -> Table:
    """How often the interval of a win rate holds the true one, and the sign test sees another."""
    rows = []
    for win, tie in PREFERENCES:
        for raters in RATERS:
            cells = []
            for count in ROWS:
                drawn = [_values(rng, count, win, tie, raters) for _ in range(draws)]
                intervals = [preference.win_rate(each, OPTIONS.confidence) for each in drawn]
                truth = 100 * (win + tie / 2)
                held = rate(each.low <= truth <= each.high for each in intervals)
                found = rate(preference.sign_test(each).p < LEVEL for each in drawn)
                cells += [held, found]
            rows.append([f"B {100 * win:.0f} %, tie {100 * tie:.0f} %", str(raters), *cells])
    heads = [f"{amount(n)}: {what}" for n in ROWS for what in ("holds %", "decides %")]
    return Table(
        "How often the interval of a win rate holds the true one (nominal 95 %), and how often the "
        "sign test finds a preference (nominal at most 5 % in the first three cases, where nobody "
        "is preferred). Raters of a row agree with each other beyond that.",
        ["preferred", "raters a row", *heads],
        rows,
    )


def _values(rng: Generator, rows: int, win: float, tie: float, raters: int) -> np.ndarray:
    """Rows' values in percent: the mean over raters, who share what is special about a row."""
    loses = 1 - win - tie
    weights = CONCENTRATION * np.array([each for each in (win, tie, loses) if each > 0])
    drawn = rng.dirichlet(weights, rows)
    chances = drawn if tie and loses > 0 else np.insert(drawn, 1, 0.0, axis=1)
    picked = rng.random((rows, raters, 1))
    place = (picked > chances.cumsum(axis=1)[:, None, :2]).sum(axis=2)
    return np.asarray([100.0, 50.0, 0.0])[place].mean(axis=1)
