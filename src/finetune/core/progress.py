"""Progress bars with the remaining time; in a log, an occasional line instead."""

import sys
from collections.abc import Iterable
from typing import NoReturn, TypeVar, overload

from tqdm import tqdm

from finetune.core import processes

Item = TypeVar("Item")
# Seconds between lines without a terminal.
LOG_INTERVAL = 15.0


def progress(
    items: Iterable[Item], what: str, unit: str, total: int | None = None
) -> Iterable[Item]:
    """The items, with progress shown on standard error."""
    return bar(items, what, unit, total)


@overload
def bar(items: None, what: str, unit: str, total: int | None = None) -> "tqdm[NoReturn]": ...
@overload
def bar(items: Iterable[Item], what: str, unit: str, total: int | None = None) -> "tqdm[Item]": ...
def bar(
    items: Iterable[Item] | None, what: str, unit: str, total: int | None = None
) -> "tqdm[Item] | tqdm[NoReturn]":
    """The bar itself; without `items` it is advanced by hand with `update`."""
    is_terminal = sys.stderr.isatty()
    return tqdm(
        items,
        desc=what,
        unit=unit,
        total=total,
        unit_scale=unit == "B",
        mininterval=0.1 if is_terminal else LOG_INTERVAL,
        maxinterval=10.0 if is_terminal else LOG_INTERVAL,
        disable=not processes.is_main(),
        dynamic_ncols=is_terminal,
        ascii=None if is_terminal else True,
        # Nothing is shown for shorter work.
        delay=0.5 if is_terminal else 2.0,
    )
