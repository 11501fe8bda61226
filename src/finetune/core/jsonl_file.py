"""JSON lines as a sequence of rows, of which only those that are asked for are read."""

import mmap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar, overload

import numpy as np

from finetune.core.files import jsonl_row

T = TypeVar("T")
# Of a file that is searched for line ends at once, in bytes.
BLOCK = 2**24


class JsonlFile(Sequence[T], Generic[T]):
    """The rows of a JSON lines file that this project wrote, each read when it is asked for.

    Holds 8 bytes a row; the file is mapped into memory, and must not change meanwhile.
    """

    def __init__(self, path: Path, make: Callable[[dict[str, Any]], T]) -> None:
        """A file of rows; `make` is what an object in it becomes.

        Raises:
            OSError: it cannot be read.
        """
        self.path = path
        self._make = make
        with path.open("rb") as file:
            self._ends = _line_ends(file)
            self._bytes = _mapped(file.fileno()) if len(self._ends) else b""

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """A row, or several of them, as a list.

        Raises:
            FileError: its line is not JSON.
            IndexError: there is no such row.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        start = int(self._ends[number - 1]) + 1 if number else 0
        line = self._bytes[start : int(self._ends[number])]
        return self._make(jsonl_row(line, self.path, number + 1))

    def __iter__(self) -> Iterator[T]:
        """The rows in their order."""
        return (self[i] for i in range(len(self)))


def _mapped(handle: int) -> mmap.mmap:
    return mmap.mmap(handle, 0, access=mmap.ACCESS_READ)


def _line_ends(file: BinaryIO) -> np.ndarray:
    """The places of all line ends, int64; of a last line without one the end of the file.

    Read, not mapped: pages that were looked at in a mapped file count as this process's memory.
    """
    ends, size, last = [np.zeros(0, np.int64)], 0, b"\n"
    while block := file.read(BLOCK):
        ends.append(np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + size)
        size, last = size + len(block), block[-1:]
    if last != b"\n":
        ends.append(np.array([size]))
    return np.concatenate(ends).astype(np.int64)
