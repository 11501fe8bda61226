"""The scores row by row without any text of the data, as a table with tabs between its columns.

A row keeps what comparisons read: its id, hashes, and the numbers and flags that its kind's metrics
are computed from, to their last digit, so that no verdict depends on where a row was read from.
"""

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from finetune.core.errors import FileError, UserError
from finetune.scoring.forgetting import PARTS
from finetune.tasks import registry

Row = dict[str, Any]
ID, CLUSTER, PART = "id", "cluster", "part"
# A cluster of near-duplicates is called by the id of its first row.
IDS = (ID, CLUSTER)
REFERENCE = "reference_hash"
# Hexadecimal digits that the pipeline computes.
HASHES = (REFERENCE, "input_hash")
# Of likelihoods of general text, which is the repository's own.
GENERAL = (PART, "nll", "tokens", "bytes", "truncated")
# A number, alone or after the name of a split or of a part of the general text, is no text.
_NUMBERED = re.compile(r"(?:(?:train|validation|test|page|exercises)-)?\d{1,18}")
_HASHED_ID = re.compile(r"id-[0-9a-f]{16}")
_NAME = re.compile(r"\w{1,40}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{8,64}")


def public_id(name: object) -> str:
    """A row's id: itself where it is a number, maybe after `test-` and the like; else its hash.

    An id may be a title or a name. Rows of revisions get theirs from here too, so that they pair.
    """
    text = str(name)
    if _NUMBERED.fullmatch(text) or _HASHED_ID.fullmatch(text):
        return text
    return f"id-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"


def reference_hash(row: Mapping[str, Any]) -> str | None:
    """Twelve hexadecimal digits for a row's reference, or all of them; None where it has none."""
    if REFERENCE in row:
        return str(row[REFERENCE])
    if "reference" not in row:
        return None
    references = row.get("references", row["reference"])
    if isinstance(references, int) and not isinstance(references, bool):
        references = float(references)  # 6 and 6.0 are one price
    return hashlib.sha256(json.dumps(references).encode()).hexdigest()[:12]


def fields(kind: str) -> frozenset[str]:
    """The columns of a kind's metrics and flags: what a shelved row may hold beside hashes."""
    scores = registry.scores(kind)
    columns = {
        column
        for metric in scores.METRICS
        for column in (*metric.columns, *metric.alike, metric.column)
        if column
    }
    return frozenset(columns | {flag.key for flag in scores.FLAGS})


def reduced(row: Row, allowed: Iterable[str], where: str) -> Row:
    """A row's ids, hashes, and those of its values that are allowed.

    Raises:
        UserError: one of these is neither a number nor a flag.
    """
    hashes = {key: row[key] for key in HASHES if row.get(key) is not None}
    if reference := reference_hash(row):
        hashes = {REFERENCE: reference, **hashes}
    allowed = frozenset(allowed)
    values = {key: value for key, value in row.items() if key in allowed and value is not None}
    ids = {key: public_id(row[key]) for key in IDS if key in row}
    kept = {**ids, **hashes, **values}
    check(kept, allowed, where)
    return kept


def check(row: Row, allowed: Iterable[str] | None, where: str) -> None:
    """Check that a row holds an id, hashes, and numbers and flags of allowed names alone.

    Without `allowed` these may have any name: a shelf outlives the metrics of its time.

    Raises:
        UserError: it does not; the message names the field, and not its value.
    """
    for key, value in row.items():
        if key in IDS:
            is_fine = isinstance(value, str) and public_id(value) == value
        elif key in HASHES:
            is_fine = isinstance(value, str) and bool(_HASH.fullmatch(value))
        elif not (_NAME.fullmatch(key) if allowed is None else key in allowed):
            is_fine = False
        elif key == PART:
            is_fine = value in PARTS
        else:
            is_fine = isinstance(value, int | float) and math.isfinite(value)
        if not is_fine:
            raise UserError(
                f"{where}: {key!r:.40} is not an id, a hash, a number or a flag of this kind of "
                "task; nothing else may be on the shelf"
            )
    if ID not in row:
        raise UserError(f"{where}: a row has no id")


def as_table(rows: Sequence[Row]) -> str:
    """Rows as a table; a cell is JSON's text of its value, and empty where a row lacks it."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row[name]) if name in row else "" for name in names])
    return text.getvalue()


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False)


def from_table(text: str, where: str) -> list[Row]:
    """The rows of a table.

    Raises:
        FileError: it is none, or a cell is no value.
    """
    lines = text.split("\n")
    if lines.pop() != "":
        raise FileError(f"{where}: its last line is not complete; `git checkout` restores it")
    names, *rows = (line.split("\t") for line in lines)
    read: list[Row] = []
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(names):
            raise FileError(
                f"{where}: line {number}: {len(cells)} cells for {len(names)} columns; "
                "`git checkout` restores it"
            )
        pairs = zip(names, cells, strict=True)
        read.append({name: _value(name, cell, where, number) for name, cell in pairs if cell})
    return read


def _value(name: str, cell: str, where: str, line: int) -> Any:
    if name in (*IDS, PART, *HASHES):
        return cell
    try:
        return json.loads(cell)
    except ValueError:
        raise FileError(
            f"{where}: line {line}: {name!r:.40} is no number; `git checkout` restores it"
        ) from None
