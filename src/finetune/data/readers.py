"""Rows out of files: JSON arrays, JSON lines, CSV and Parquet, read as they are asked for.

A reader yields `(place, row)`: the place is what a person finds the row by, `line 17` or `row 17`.
A line that is no JSON object comes as a string that says what is wrong with it; whether that is one
too many is decided where the rest of the rows is known. Of a JSON array the text is held in memory,
of the other formats a row or a batch of rows.
"""

import codecs
import csv
import functools
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from finetune.core.errors import DataError, brief, squeezed
from finetune.core.progress import bar, progress

Placed = tuple[str, dict[str, Any] | str]
# Rows of Parquet that are read at once.
PARQUET_ROWS = 1024
# Bytes of a file that are read at once.
BLOCK = 2**20
# As long an integer as Python converts by default.
MAX_DIGITS = 4300
# The first bytes of files that are often given in place of a text.
OTHERS = {
    b"\x1f\x8b": "is compressed by gzip; unpack it (`gunzip`)",
    b"PK\x03\x04": "is a ZIP archive, or a spreadsheet; unpack it, or save it as CSV",
    b"\x28\xb5\x2f\xfd": "is compressed by Zstandard; unpack it (`unzstd`)",
    b"PAR1": "is Parquet; let its name end with .parquet",
    b"\xff\xfe": "is UTF-16; convert it (`iconv -f UTF-16 -t UTF-8`)",
    b"\xfe\xff": "is UTF-16; convert it (`iconv -f UTF-16 -t UTF-8`)",
}
_BLANKS = re.compile(r"[ \t\n\r]*")


def check(path: Path) -> None:
    """See that a file is there, and of a known format.

    Raises:
        DataError: it is not.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; file names stand in the task's config (source.files)"
        )
    if path.suffix.lower() not in READERS:
        raise DataError(f"{path}: unknown format; known: {', '.join(READERS)}")


def read(path: Path, delimiter: str = ",") -> Iterator[Placed]:
    """The rows of a file, by its ending; `delimiter` stands between the cells of a CSV file.

    Raises:
        DataError: the file is missing, of an unknown format, or as a whole not of its format; the
            last may show only when some rows have been read.
    """
    check(path)
    reader = READERS[path.suffix.lower()]
    try:
        yield from _csv(path, delimiter) if reader is _csv else reader(path)
    except UnicodeDecodeError:
        raise DataError(f"{path}: {_not_utf8(path)}") from None


def _not_utf8(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    for mark, what in OTHERS.items():
        if start.startswith(mark):
            return what
    return f"byte {_first_undecodable(path)}: not UTF-8; convert the file"


def _first_undecodable(path: Path) -> int:
    """The place of the first byte of a file that is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    size = 0
    with path.open("rb") as file:
        while True:
            block = file.read(BLOCK)
            begun = len(decoder.getstate()[0])  # bytes of a character that the last block began
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return size - begun + error.start
            if not block:
                return size
            size += len(block)


class _Shown(io.FileIO):
    """A file that shows how much of it has been read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._bar = bar(None, f"read {path.name}", "B", path.stat().st_size)

    def readinto(self, buffer: Any, /) -> int | None:
        count = super().readinto(buffer)
        self._bar.update(count or 0)
        return count

    def close(self) -> None:
        if not self.closed:
            self._bar.close()
        super().close()


def _shown(path: Path) -> io.BufferedReader:
    return io.BufferedReader(_Shown(path), BLOCK)


def _json(path: Path) -> Iterator[Placed]:
    text, decoder = path.read_bytes().decode("utf-8-sig"), _Decoder()
    try:
        for number, row in enumerate(_elements(text, path, decoder), start=1):
            yield f"row {number}", decoder.checked(row)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {error.lineno}: no JSON ({error.msg}); is the file complete?"
        ) from None
    except RecursionError:
        raise DataError(f"{path}: nested too deeply; must be an array of objects") from None


class _Decoder(json.JSONDecoder):
    """JSON as others read it too: a key that stands twice, and endless digits, are `mistakes`.

    Python would take the last of two values, and stops at a number of 4,301 digits.
    """

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        super().__init__(object_pairs_hook=self._object, parse_int=self._integer)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) < len(pairs):
            twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
            self.mistakes.append(f"has {brief(twice)} twice")
        return row

    def _integer(self, digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            self.mistakes.append(f"has a number of {len(digits):,} digits")
            return 0
        return int(digits)

    def checked(self, value: Any) -> dict[str, Any] | str:
        """An object that this decoder has just read, or what is wrong with it."""
        if self.mistakes:
            mistake = self.mistakes[0]
            self.mistakes.clear()
            return mistake
        return value if isinstance(value, dict) else f"is {brief(value)}, no object"


def _elements(text: str, path: Path, decoder: _Decoder) -> Iterator[Any]:
    """The elements of a JSON array, one after the other, so that they are never held together.

    Raises:
        json.JSONDecodeError: the text is no JSON.
        DataError: it is no array.
    """
    place = _after_blanks(text, 0)
    if text[place : place + 1] != "[":
        raise DataError(
            f"{path}: holds {type(decoder.decode(text)).__name__}, must be an array of objects"
        )
    place = _after_blanks(text, place + 1)
    while text[place : place + 1] != "]":
        value, place = decoder.raw_decode(text, place)
        yield value
        place = _after_blanks(text, place)
        if text[place : place + 1] == ",":
            place = _after_blanks(text, place + 1)
            if text[place : place + 1] == "]":
                raise json.JSONDecodeError("Expecting value", text, place)
        elif text[place : place + 1] != "]":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, place)
    place = _after_blanks(text, place + 1)
    if place < len(text):
        raise json.JSONDecodeError("Extra data", text, place)


def _after_blanks(text: str, place: int) -> int:
    blanks = _BLANKS.match(text, place)
    return place if blanks is None else blanks.end()


def _jsonl(path: Path) -> Iterator[Placed]:
    decoder = _Decoder()
    # As bytes: in text mode U+2028 and the like would end a line, in JSON lines they do not.
    with _shown(path) as file:
        for number, encoded in enumerate(file, start=1):
            line = encoded.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\n")
            if not line.strip():
                continue
            decoder.mistakes.clear()
            try:
                row = decoder.decode(line)
            except json.JSONDecodeError as error:
                yield f"line {number}", f"no JSON ({error.msg}, column {error.colno})"
                continue
            except RecursionError:
                yield f"line {number}", "nested too deeply"
                continue
            yield f"line {number}", decoder.checked(row)


def _csv(path: Path, delimiter: str = ",") -> Iterator[Placed]:
    # Descriptions may be longer than the 128 KiB that the csv module takes for a mistake.
    csv.field_size_limit(16 * 2**20)
    with io.TextIOWrapper(_shown(path), encoding="utf-8-sig", newline="") as text:
        yield from _cells(path, text, delimiter)


def _cells(path: Path, text: io.TextIOBase, delimiter: str) -> Iterator[Placed]:
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DataError(f"{path}: line 1: no CSV ({error})") from None
    _check_columns(path, header, "line 1")
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


def _check_columns(path: Path, names: Iterable[str], place: str) -> None:
    """Check that no two columns have one name: the last would be taken for both."""
    twice = [name for name, n in Counter(names).items() if n > 1 and name]
    if twice:
        raise DataError(
            f"{path}: {place}: two columns are called {brief(twice[0])}; rename one of them"
        )


def _parquet(path: Path) -> Iterator[Placed]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names, "its schema")
            batches = (batch.to_pylist() for batch in file.iter_batches(PARQUET_ROWS))
            rows = itertools.chain.from_iterable(batches)
            shown = progress(rows, f"read {path.name}", "row", file.metadata.num_rows)
            for number, row in enumerate(shown, start=1):
                yield f"row {number}", row
    except (pyarrow.ArrowException, OSError, OverflowError, ValueError) as error:
        # A damaged page is an OSError; a date beyond Python's is one of the others.
        raise DataError(f"{path}: no Parquet ({squeezed(error)})") from None


READERS: dict[str, Callable[[Path], Iterator[Placed]]] = {
    ".json": _json,
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".tsv": functools.partial(_csv, delimiter="\t"),
    ".parquet": _parquet,
}
