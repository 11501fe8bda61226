"""From raw rows to rows that a model may see; everything changed or dropped is counted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from finetune.core.errors import DataError
from finetune.tasks.kinds import Kind

Row = dict[str, Any]


@dataclass
class Split:
    """The rows of one split, and what became of the others."""

    rows: list[Row]
    counts: dict[str, int] = field(default_factory=dict)
    bad: list[Row] = field(default_factory=list)


def clean(raw: list[Row], kind: Kind, file: str, max_bad_share: float) -> Split:
    """Check every raw row, and normalize it.

    Rows that break the schema are set aside in `bad`, each with its place and what is wrong.

    Raises:
        DataError: more than `max_bad_share` of the rows are bad, or two rows have one id.
    """
    found = Counter({"rows": len(raw)})
    rows, bad = [], []
    for row in raw:
        try:
            if "broken" in row:
                raise ValueError(row["broken"])
            found.update(f"found_{name}" for name in kind.found(row))
            rows.append(kind.clean(row))
        except ValueError as error:
            bad.append({"file": file, "place": row["place"], "reason": str(error), "row": row})
    if raw and len(bad) / len(raw) > max_bad_share:
        first = bad[0]
        raise DataError(
            f"{file}: {first['place']}: {first['reason']}; {len(bad)} of {len(raw)} rows are bad, "
            f"more than data.max_bad_share ({max_bad_share:g}) allows"
        )
    _check_ids(rows, file)
    name = kind.FIELDS[1]  # the field that the model reads, as it came
    texts = [row[name] for row in raw if isinstance(row.get(name), str)]
    found["found_repeated_inputs"] = len(texts) - len(set(texts))
    found["set_aside"] = len(bad)
    return Split(rows, dict(found), bad)


def _check_ids(rows: list[Row], file: str) -> None:
    """Predictions are paired by id: two rows with one id would be one."""
    twice = [row_id for row_id, n in Counter(row["id"] for row in rows).items() if n > 1]
    if twice:
        raise DataError(
            f"{file}: id {twice[0]!r} stands in more than one row ({len(twice)} such ids); "
            "ids must be unique in a split"
        )


def drop_unusable(split: Split, kind: Kind) -> None:
    """Drop rows without input or target, and exact repetitions of an earlier row.

    Not for test rows: whatever is odd about them, scores compare only over all of them.
    """
    split.rows, split.counts["dropped_empty"] = _partition(
        split.rows, lambda row: bool(kind.body(row).strip() and kind.target(row).strip())
    )
    seen: set[tuple[str, str]] = set()

    def is_new(row: Row) -> bool:
        pair = (kind.body(row), kind.target(row))
        new = pair not in seen
        seen.add(pair)
        return new

    split.rows, split.counts["dropped_duplicates"] = _partition(split.rows, is_new)


def drop_leaks(splits: dict[str, Split], kind: Kind) -> None:
    """Drop from train what stands in validation or test, and from validation what does in test.

    Counted twice: rows dropped, and distinct inputs shared (what the literature counts).
    """
    # Taken before anything is dropped: a train row that leaks into both splits counts for both.
    inputs = {name: {kind.body(row) for row in split.rows} for name, split in splits.items()}
    for name, others in (("train", ("validation", "test")), ("validation", ("test",))):
        if name not in splits:
            continue
        split, leaked = splits[name], set()
        for other in others:
            shared = inputs[name] & inputs.get(other, set())
            split.counts[f"found_inputs_shared_with_{other}"] = len(shared)
            leaked |= shared
        split.rows, split.counts["dropped_leaks"] = _partition(
            split.rows, lambda row, leaked=leaked: kind.body(row) not in leaked
        )


def _partition(rows: list[Row], keep: Callable[[Row], bool]) -> tuple[list[Row], int]:
    kept = [row for row in rows if keep(row)]
    return kept, len(rows) - len(kept)
