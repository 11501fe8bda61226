"""How values that were computed again differ from those that were committed."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "nothing"
# Keys of dictionaries and positions in lists, from the outermost.
Path = tuple[str | int, ...]
# The size of a column's numbers, by its path.
Scales = Mapping[Path, float]
# Numbers are written with so many decimals that the last one may be the tolerance itself.
SLACK = 1 + 1e-6


@dataclass(frozen=True)
class Difference:
    """A value that is another one, and where it stands."""

    where: str
    committed: Any
    again: Any


@dataclass(frozen=True)
class Counts:
    """How many rows or values are the same, differ by rounding, and differ; of the last, where."""

    exact: int
    within: int
    different: tuple[Difference, ...]


def of_rows(
    committed: Sequence[Any],
    again: Sequence[Any],
    names: Sequence[str],
    tolerance: float,
    scales: Scales,
) -> Counts:
    """The counts of rows; of a row that differs the first value that does, after the row's name.

    Numbers within tolerance · max(1, the column's scale) of each other are rounded.

    Raises:
        ValueError: the sequences are not of the same length.
    """
    exact = within = 0
    different = []
    for one, other, name in zip(committed, again, names, strict=True):
        found = list(_between(one, other))
        serious = _serious(found, tolerance, lambda path, _: scales.get(path, 0.0), name)
        exact += not found
        within += bool(found) and not serious
        different += serious[:1]
    return Counts(exact, within, tuple(different))


def of_values(committed: Any, again: Any, tolerance: float, name: str) -> Counts:
    """The counts of the single values of two nested ones.

    Numbers within tolerance · max(1, the number computed again) of each other are rounded.
    """
    found = list(_between(committed, again))
    different = _serious(found, tolerance, lambda _, number: abs(number), name)
    # What is there only now is not among the committed values.
    count = max(num_values(committed), len(found))
    return Counts(count - len(found), len(found) - len(different), tuple(different))


def total(counts: Sequence[Counts]) -> Counts:
    """The counts of all of them."""
    return Counts(
        sum(each.exact for each in counts),
        sum(each.within for each in counts),
        tuple(one for each in counts for one in each.different),
    )


def scales(rows: Sequence[Any], rank: int = 1) -> dict[Path, float]:
    """The largest number but rank - 1, without its sign, at each place of nested rows.

    A huge number in fewer than `rank` rows does not widen the tolerance of the others.
    """
    columns: dict[Path, list[float]] = defaultdict(list)
    for row in rows:
        for path, value in _leaves(row):
            if isinstance(value, float) and math.isfinite(value):
                columns[path].append(abs(value))
    return {path: sorted(numbers)[-min(rank, len(numbers))] for path, numbers in columns.items()}


def num_values(value: Any) -> int:
    """How many values without parts there are in a nested one."""
    return sum(1 for _ in _leaves(value))


def _serious(
    found: Sequence[tuple[Path, Any, Any]],
    tolerance: float,
    scale: Callable[[Path, float], float],
    name: str,
) -> list[Difference]:
    """The differences that are no rounding."""
    return [
        Difference(" ".join([name, *map(str, path)]), committed, again)
        for path, committed, again in found
        # A count is no number to be rounded, and neither is a flag.
        if not (isinstance(committed, float) and isinstance(again, float) and math.isfinite(again))
        or not abs(committed - again) <= SLACK * tolerance * max(1.0, scale(path, again))
    ]


def _between(committed: Any, again: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Where two values of JSON differ."""
    if isinstance(committed, dict) and isinstance(again, dict):
        for key in dict.fromkeys([*committed, *again]):
            inner = committed.get(key, ABSENT), again.get(key, ABSENT)
            yield from _between(*inner, (*path, key))
    elif isinstance(committed, list) and isinstance(again, list) and len(committed) == len(again):
        for number, pair in enumerate(zip(committed, again, strict=True), 1):
            yield from _between(*pair, (*path, number))
    elif type(committed) is not type(again) or committed != again:
        yield path, committed, again


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _leaves(inner, (*path, number))
    else:
        yield path, value
