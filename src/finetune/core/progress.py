"""Progress bars with a time to go; in a log, a line now and then instead of a bar."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
# Seconds between lines where there is no terminal to redraw one on.
LOG_INTERVAL = 15.0


def progress(
    items: Iterable[Item], what: str, unit: str, total: int | None = None
) -> Iterable[Item]:
    """The items, with progress shown on standard error."""
    return bar(items, what, unit, total)


def bar(
    items: Iterable[Item] | None, what: str, unit: str, total: int | None = None
) -> "tqdm[Item]":
    """The bar itself, for work that is not a plain loop."""
    is_terminal = sys.stderr.isatty()
    return tqdm(
        items,
        desc=what,
        unit=unit,
        total=total,
        mininterval=0.1 if is_terminal else LOG_INTERVAL,
        maxinterval=10.0 if is_terminal else LOG_INTERVAL,
        dynamic_ncols=is_terminal,
        ascii=None if is_terminal else True,
        # What takes under two seconds needs no bar, and a log no line.
        delay=0.5 if is_terminal else 2.0,
    )
