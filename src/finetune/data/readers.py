"""Rows out of files: JSON arrays, JSON lines, CSV and Parquet.

A reader yields `(place, row)`: the place is what a person finds the row by, `line 17` or `row 17`.
A line that is no JSON object comes as a string that says what is wrong with it; whether that is one
too many is decided where the rest of the rows is known.
"""

import csv
import functools
import io
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from finetune.core.errors import DataError

Placed = tuple[str, dict[str, Any] | str]


def read(path: Path, delimiter: str = ",") -> Iterator[Placed]:
    """The rows of a file, by its ending; `delimiter` stands between the cells of a CSV file.

    Raises:
        DataError: the file is missing, of an unknown format, or as a whole not of its format.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; file names stand in the task's config (source.files)"
        )
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: unknown format; known: {', '.join(READERS)}")
    try:
        yield from _csv(path, delimiter) if reader is _csv else reader(path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start}: not UTF-8; convert the file") from None


def _json(path: Path) -> Iterator[Placed]:
    try:
        rows = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {error.lineno}: no JSON ({error.msg}); is the file complete?"
        ) from None
    except RecursionError:
        raise DataError(f"{path}: nested too deeply; must be an array of objects") from None
    if not isinstance(rows, list):
        raise DataError(f"{path}: holds {type(rows).__name__}, must be an array of objects")
    for number, row in enumerate(rows, start=1):
        yield f"row {number}", row if isinstance(row, dict) else f"is {row!r:.60}, no object"


def _jsonl(path: Path) -> Iterator[Placed]:
    # Not splitlines(): text may hold U+2028 and the like, which are no line ends in JSON lines.
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            yield f"line {number}", f"no JSON ({error.msg}, column {error.colno})"
            continue
        except RecursionError:
            yield f"line {number}", "nested too deeply"
            continue
        yield f"line {number}", row if isinstance(row, dict) else f"is {row!r:.60}, no object"


def _csv(path: Path, delimiter: str = ",") -> Iterator[Placed]:
    # Descriptions may be longer than the 128 KiB that the csv module takes for a mistake.
    csv.field_size_limit(16 * 2**20)
    text = io.StringIO(_text(path), newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DataError(f"{path}: line 1: no CSV ({error})") from None
    twice = [name for name, n in Counter(header).items() if n > 1 and name]
    if twice:
        raise DataError(f"{path}: line 1: two columns are called {twice[0]!r}; rename one of them")
    for _ in itertools.count():
        place = f"line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{path}: {place}: no CSV ({error})") from None
        if len(cells) == len(header):
            yield place, dict(zip(header, cells, strict=True))
        elif cells:
            yield place, f"has {len(cells)} cells, the header has {len(header)}"


def _parquet(path: Path) -> Iterator[Placed]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError, OverflowError, ValueError) as error:
        # A damaged page is an OSError; a date beyond Python's is one of the others.
        raise DataError(f"{path}: no Parquet ({' '.join(str(error).split())})") from None
    for number, row in enumerate(rows, start=1):
        yield f"row {number}", row


def _text(path: Path) -> str:
    # Whole, not line by line: an error then knows at which byte of the file it is.
    return path.read_bytes().decode("utf-8-sig")


READERS: dict[str, Callable[[Path], Iterator[Placed]]] = {
    ".json": _json,
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".tsv": functools.partial(_csv, delimiter="\t"),
    ".parquet": _parquet,
}
