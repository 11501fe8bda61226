"""From raw rows to rows that a model may see; everything changed or dropped is counted."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune.core.errors import DataError
from finetune.core.rows import TaskRow
from finetune.data.curation import Dropped
from finetune.data.near_duplicates import NearDuplicateRows
from finetune.tasks.registry import RawRow, Rows


@dataclass
class Split:
    """The rows of one split, and what became of the others."""

    rows: list[TaskRow]
    counts: dict[str, int] = field(default_factory=dict)
    bad: list[dict[str, Any]] = field(default_factory=list)


def clean(
    raw: Sequence[RawRow], kind: Rows, input_field: str, file: str, max_bad_rate: float
) -> Split:
    """Check every raw row, and normalize it.

    Rows that break the schema are set aside in `bad`, each with its place and what is wrong.
    `input_field` is the one that the model reads: how often it repeats is counted as it came.

    Raises:
        DataError: more than `max_bad_rate` of the rows are bad, or two rows have one id.
    """
    counts = Counter({"rows": len(raw)})
    rows: list[TaskRow] = []
    bad: list[dict[str, Any]] = []
    for row in raw:
        try:
            if "broken" in row:
                raise ValueError(row["broken"])
            counts.update(f"found_{name}" for name in kind.peculiarities(row))
            rows.append(kind.clean(row))
        except Dropped as dropped:
            counts[dropped.count] += 1
        except ValueError as error:
            bad.append({"file": file, "place": row["place"], "reason": str(error), "row": row})
    if raw and len(bad) / len(raw) > max_bad_rate:
        first = bad[0]
        raise DataError(
            f"{file}: {first['place']}: {first['reason']}; {len(bad)} of {len(raw)} rows are bad, "
            f"more than data.max_bad_rate ({max_bad_rate:g}) allows"
        )
    _check_ids(rows, file)
    texts = [row[input_field] for row in raw if isinstance(row.get(input_field), str)]
    counts["found_repeated_inputs"] = len(texts) - len(set(texts))
    counts["set_aside"] = len(bad)
    return Split(rows, dict(counts), bad)


def _check_ids(rows: Sequence[TaskRow], file: str) -> None:
    """Predictions are paired by id: two rows with one id would be one."""
    twice = [row_id for row_id, n in Counter(row.id for row in rows).items() if n > 1]
    if twice:
        raise DataError(
            f"{file}: id {twice[0]!r} stands in more than one row ({len(twice)} such ids); "
            "ids must be unique in a split"
        )


def drop_unusable(split: Split) -> None:
    """Drop rows without input or target, and exact repetitions of an earlier row.

    Not for test rows: whatever is odd about them, scores compare only over all of them.
    """
    split.rows, split.counts["dropped_empty"] = _partition(
        split.rows, lambda row: bool(row.input.strip() and row.completion.strip())
    )
    seen: set[tuple[str, str]] = set()

    def is_new(row: TaskRow) -> bool:
        pair = (row.input, row.completion)
        new = pair not in seen
        seen.add(pair)
        return new

    split.rows, split.counts["dropped_duplicates"] = _partition(split.rows, is_new)


def remove_leakage(splits: dict[str, Split]) -> None:
    """Drop from train what stands in validation or test, and from validation what does in test.

    Counted twice: rows dropped, and distinct inputs shared (what the literature counts).
    """
    # Taken before anything is dropped: a train row that leaks into both splits counts for both.
    inputs = {name: {row.input for row in split.rows} for name, split in splits.items()}
    for name, others in (("train", ("validation", "test")), ("validation", ("test",))):
        if name not in splits:
            continue
        split = splits[name]
        leaked: set[str] = set()
        for other in others:
            shared = inputs[name] & inputs.get(other, set())
            split.counts[f"found_inputs_shared_with_{other}"] = len(shared)
            leaked |= shared
        kept = [row for row in split.rows if row.input not in leaked]
        split.counts["dropped_leaks"] = len(split.rows) - len(kept)
        split.rows = kept


def remove_near_duplicates(splits: dict[str, Split], found: NearDuplicateRows) -> None:
    """Drop near-duplicates: of validation and test from train, of test from validation.

    Within train the first one stays, within validation and test all do. What was dropped before, as
    an exact copy, is not counted again.
    """
    for name in found.cross_split:
        splits[name].counts |= found.counts(name)
    for name in ("train", "validation"):
        _drop(splits[name], found.leaked_ids(name), "dropped_near_leaks")
    _drop(splits["train"], found.within_split["train"], "dropped_near_duplicates")


def _drop(split: Split, ids: set[str], count: str) -> None:
    split.rows, split.counts[count] = _partition(split.rows, lambda row: row.id not in ids)


def _partition(rows: list[TaskRow], keep: Callable[[TaskRow], bool]) -> tuple[list[TaskRow], int]:
    kept = [row for row in rows if keep(row)]
    return kept, len(rows) - len(kept)
