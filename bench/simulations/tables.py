"""What a simulation hands back: a table of rates with their Monte-Carlo standard errors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from finetune.core.schema import Bootstrap

# Of every test and interval here; resampling is only of Westfall and Young's method.
OPTIONS = Bootstrap(resamples=1000, confidence=0.95, seed=17)
LEVEL = 0.05


@dataclass(frozen=True)
class Table:
    """`simulated` says in a sentence what, and which values are nominal; cells are text."""

    simulated: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        return tabulate(
            self.rows, self.headers, tablefmt="pipe", disable_numparse=True, stralign="left"
        )


def rate(events: Iterable[bool]) -> str:
    """The percentage of draws in which something happened, with its standard error."""
    happened = np.fromiter(events, dtype=bool)
    fraction = happened.mean()
    error = (fraction * (1 - fraction) / happened.size) ** 0.5
    return f"{100 * fraction:.1f} ± {100 * error:.1f}"


def average(values: Sequence[float], decimals: int = 2) -> str:
    """The mean over draws, with its standard error."""
    error = np.std(values) / len(values) ** 0.5
    return f"{np.mean(values):.{decimals}f} ± {error:.{decimals}f}"


def amount(rows: int) -> str:
    """A heading such as `n = 2,000`."""
    return f"n = {rows:,}"
