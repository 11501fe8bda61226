"""A split as `prepare` decides about it: rows in a file, and what is known of each in memory."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, overload

import numpy as np

from finetune.core.files import write_jsonl
from finetune.core.jsonl_file import JsonlFile
from finetune.core.rows import TaskRow
from finetune.data.minhash import Signatures

# A hash of 128 bits: that any two of a billion texts share one has a probability below 1e-20.
HASH = np.dtype("S16")
# What is known of a row without reading it. `same` is a hash of input and completion, `draw` the
# number by which `splitting.split_all` splits, `source` 0, or from 1 on the number of the one that
# is mixed in.
COLUMNS = np.dtype(
    [
        ("id", HASH),
        ("input", HASH),
        ("same", HASH),
        ("draw", np.float64),
        ("source", np.int16),
        ("is_empty", np.bool_),
        ("answer_in_input", np.bool_),
    ]
)


def columns(rows: Sequence[TaskRow], seed: int = 0) -> np.ndarray:
    """What is known of rows, as an array of `COLUMNS`."""
    return np.array([_entry(row, seed) for row in rows], COLUMNS)


def _entry(row: TaskRow, seed: int) -> tuple[Any, ...]:
    text, answer = row.input, row.completion
    of_input = text_hash(text)
    return (
        text_hash(row.id),
        of_input,
        _hash(of_input + _encoded(answer)),
        draw(text, seed),
        0,
        not (text.strip() and answer.strip()),
        row.answer_in_input,
    )


def text_hash(text: str) -> bytes:
    """A hash of a text, which may hold unpaired surrogates."""
    return _hash(_encoded(text))


def draw(text: str, seed: int) -> float:
    """A number from 0 up to 1, the same for the same text and seed on every machine."""
    digest = hashlib.sha256(_encoded(f"{seed}\n{text}")).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _hash(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=HASH.itemsize).digest()


@dataclass
class Split:
    """The rows of one split, and what became of the others.

    stored: all clean rows of the file that they came in; `columns` of these (and `signatures`,
    where near-duplicates are looked for). numbers: int64, which of them are in this split, in
    ascending order. bad: the first of the rows that were set aside.
    """

    stored: Sequence[TaskRow]
    columns: np.ndarray
    numbers: np.ndarray
    counts: dict[str, int] = field(default_factory=dict)
    bad: list[dict[str, Any]] = field(default_factory=list)
    signatures: Signatures | None = None

    @classmethod
    def of(cls, rows: Sequence[TaskRow], counts: dict[str, int] | None = None) -> Self:
        """A split of rows in memory."""
        return cls(rows, columns(rows), np.arange(len(rows)), counts or {})

    def part(self, numbers: np.ndarray) -> "Split":
        """A split of some of the stored rows, without counts."""
        return Split(self.stored, self.columns, numbers, signatures=self.signatures)

    def __len__(self) -> int:
        """The number of rows in the split."""
        return len(self.numbers)

    @property
    def rows(self) -> "Rows":
        """The rows as they are now: what is dropped later stays in here."""
        return Rows(self.stored, self.numbers)

    def column(self, name: str) -> np.ndarray:
        """A column of the rows in the split."""
        values: np.ndarray = self.columns[name][self.numbers]
        return values

    def keep(self, mask: np.ndarray) -> int:
        """Keep the rows for which `mask` is true; the number of others."""
        before = len(self)
        self.numbers = self.numbers[mask]
        return before - len(self)

    def write(self, path: Path) -> None:
        """Write the rows to a new file of JSON lines."""
        if isinstance(self.stored, StoredRows):
            self.stored.copy(self.numbers, path)
        else:
            write_jsonl(path, (row.model_dump(exclude_unset=True) for row in self.rows))


class Rows(Sequence[TaskRow]):
    """Some of the stored rows, each read when it is asked for."""

    def __init__(self, stored: Sequence[TaskRow], numbers: np.ndarray) -> None:
        """The rows of these numbers."""
        self._stored, self.numbers = stored, numbers

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> TaskRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[TaskRow]: ...
    def __getitem__(self, index: int | slice) -> TaskRow | list[TaskRow]:
        """A row, or several of them, as a list."""
        if isinstance(index, slice):
            return [self._stored[number] for number in self.numbers[index].tolist()]
        return self._stored[int(self.numbers[index])]

    def __iter__(self) -> Iterator[TaskRow]:
        """The rows in their order."""
        return (self._stored[number] for number in self.numbers.tolist())


class StoredRows(JsonlFile[TaskRow]):
    """Clean rows in a JSON lines file, which `copy` writes without parsing them."""

    def copy(self, numbers: np.ndarray, path: Path) -> None:
        """Write the lines of some rows, in ascending order, to a new file."""
        is_kept = np.zeros(len(self), np.bool_)
        is_kept[numbers] = True
        with self.path.open("rb") as source, path.open("wb") as target:
            for kept, line in zip(is_kept.tolist(), source, strict=True):
                if kept:
                    target.write(line)
