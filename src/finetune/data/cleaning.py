"""From raw rows to rows that a model may see; everything changed or dropped is counted.

`clean` looks at each row by itself, in whatever process; the others decide between rows, by what is
known of them in memory (`split.COLUMNS`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finetune.core.errors import DataError
from finetune.core.rows import TaskRow
from finetune.data.curation import Dropped
from finetune.data.near_duplicates import NearDuplicateRows
from finetune.data.split import Rows, Split
from finetune.tasks import registry
from finetune.tasks.registry import RawRow


@dataclass
class CleanRows:
    """Rows of a file that were checked one by one, and what became of the others."""

    rows: list[TaskRow] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    bad: list[dict[str, Any]] = field(default_factory=list)


def clean(raw: Iterable[RawRow], kind: registry.Rows, file: str) -> CleanRows:
    """Check every raw row, and normalize it.

    Rows that break the schema are set aside in `bad`, each with its place and what is wrong.
    """
    counts = Counter[str]()
    rows: list[TaskRow] = []
    bad: list[dict[str, Any]] = []
    for row in raw:
        counts["rows"] += 1
        try:
            if "broken" in row:
                raise ValueError(row["broken"])
            counts.update(f"found_{name}" for name in kind.peculiarities(row))
            rows.append(kind.clean(row))
        except Dropped as dropped:
            counts[dropped.count] += 1
        except ValueError as error:
            bad.append({"file": file, "place": row["place"], "reason": str(error), "row": row})
    return CleanRows(rows, counts, bad)


def check(split: Split, file: str, max_bad_rate: float) -> None:
    """See that few rows of a file are bad, and that each has an id of its own.

    Raises:
        DataError: more than `max_bad_rate` of the rows are bad, or two rows have one id.
    """
    rows, bad = split.counts["rows"], split.counts["set_aside"]
    if rows and bad / rows > max_bad_rate:
        first = split.bad[0]
        raise DataError(
            f"{file}: {first['place']}: {first['reason']}; {bad} of {rows} rows are bad, "
            f"more than data.max_bad_rate ({max_bad_rate:g}) allows"
        )
    check_ids(split, file)


def check_ids(split: Split, file: str) -> None:
    """See that each row has an id of its own: predictions are paired by it.

    Raises:
        DataError: two rows have one id.
    """
    _, first_places, times = np.unique(split.column("id"), return_index=True, return_counts=True)
    twice = first_places[times > 1]
    if len(twice):
        raise DataError(
            f"{file}: id {split.rows[int(twice.min())].id!r} stands in more than one row "
            f"({len(twice)} such ids); ids must be unique in a split"
        )


def drop_unusable(split: Split) -> None:
    """Drop rows without input or target, and exact repetitions of an earlier row.

    Not for test rows: whatever is odd about them, scores compare only over all of them.
    """
    split.counts["dropped_empty"] = split.keep(~split.column("is_empty"))
    _, first_places = np.unique(split.column("same"), return_index=True)
    is_first = np.zeros(len(split), np.bool_)
    is_first[first_places] = True
    split.counts["dropped_duplicates"] = split.keep(is_first)


def remove_leakage(splits: dict[str, Split]) -> None:
    """Drop from train what stands in validation or test, and from validation what does in test.

    Counted twice: rows dropped, and distinct inputs shared (what the literature counts).
    """
    # Taken before anything is dropped: a train row that leaks into both splits counts for both.
    inputs = {name: np.unique(split.column("input")) for name, split in splits.items()}
    for name, others in (("train", ("validation", "test")), ("validation", ("test",))):
        if name not in splits:
            continue
        split = splits[name]
        leaked = inputs[name][:0]
        for other in others:
            shared = np.intersect1d(inputs[name], inputs.get(other, leaked), assume_unique=True)
            split.counts[f"found_inputs_shared_with_{other}"] = len(shared)
            leaked = np.concatenate([leaked, shared])
        split.counts["dropped_leaks"] = split.keep(~np.isin(split.column("input"), leaked))


def remove_near_duplicates(
    splits: dict[str, Split], searched: Mapping[str, Rows], found: NearDuplicateRows
) -> None:
    """Drop near-duplicates: of validation and test from train, of test from validation.

    Within train the first one stays, within validation and test all do. `searched` are the rows
    that were searched: what was dropped since, as an exact copy, is not counted again.
    """

    def drop(name: str, places: set[int], count: str) -> None:
        numbers = searched[name].numbers[sorted(places)]
        splits[name].counts[count] = splits[name].keep(~np.isin(splits[name].numbers, numbers))

    for name in found.cross_split:
        splits[name].counts |= found.counts(name)
    for name in ("train", "validation"):
        drop(name, found.leaked(name), "dropped_near_leaks")
    drop("train", found.within_split["train"], "dropped_near_duplicates")
