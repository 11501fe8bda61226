"""Answers of inference on disk while a stage runs, so that a killed one need not give them again.

An answer may depend in its last bit on the rows that share its batch. So whole batches are stored,
under the rows that they hold: the same batches are formed again, and those that are known skipped.
Of several processes each has a file of its own, and reads all of them when it begins.

The file has a line for each batch, a checksum and JSON, in which floats are exact. A line that a
kill or a full disk cut short does not match its checksum, and is dropped.
"""

import base64
import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from finetune.core import killed, processes
from finetune.core.interrupts import Interrupted

log = logging.getLogger(__name__)

FILE = "answers.jsonl"
OF_RANK = "answers-{}.jsonl"
# Answers are written at most so often: a kill costs no more than that.
SECONDS_BETWEEN_WRITES = 2.0
TYPE = "!"  # the key that names the type of an object in JSON
ARRAY = "array"

Result = TypeVar("Result")
Class = TypeVar("Class", bound=type)

_storable: dict[str, type] = {}
_store: "Store | None" = None


def storable(cls: Class) -> Class:
    """Mark a dataclass whose instances are results of batches."""
    _storable[cls.__name__] = cls
    return cls


class Store:
    """The answers of a run, by the calls of `in_batches` in their order and the rows of a batch.

    resumed_rows: how many rows were answered by an earlier process and not again; rows: those, and
    the rows answered since.
    """

    def __init__(self, folder: Path, save_minutes: float, saved: Callable[[], None]) -> None:
        """Read what an earlier process wrote; `saved` is called every `save_minutes`."""
        rank = processes.rank()
        self.folder, self.file = folder, folder / (OF_RANK.format(rank) if rank else FILE)
        self.resumed_rows = self.rows = self.calls = 0
        self._saved, self._save_seconds = saved, 60 * save_minutes
        self._seconds = min(SECONDS_BETWEEN_WRITES, self._save_seconds)
        self._new: list[bytes] = []
        self._written_at = self._saved_at = time.monotonic()
        if not processes.is_main():
            processes.barrier()  # the main process has removed what is damaged
        self._known = {key: line for file in self._files() for key, line in _read(file).items()}
        if processes.is_main():
            processes.barrier()
        processes.barrier()  # nobody appends to its file while another still reads it

    def call(self, desc: str) -> "Call":
        """The answers of the next call of `in_batches`."""
        self.calls += 1
        return Call(self, f"{self.calls} {desc}")

    def clear(self) -> None:
        """Forget what an earlier process answered."""
        self._known.clear()
        for file in self._files() if processes.is_main() else ():
            file.unlink(missing_ok=True)

    def known(self, key: str) -> list[Any] | None:
        """The stored results of a batch."""
        line = self._known.pop(key, None)
        if line is None:
            return None
        results = json.loads(line.text(), object_hook=_object)["results"]
        self.rows += len(results)
        self.resumed_rows += len(results)
        return results

    def add(self, key: str, results: Sequence[Any], rows: int) -> None:
        """Store the results of a batch, on disk within seconds.

        `rows` is how many all processes have answered meanwhile.
        """
        text = json.dumps({"key": key, "results": list(results)}, default=_plain).encode()
        self._new.append(b"%08x %s\n" % (zlib.crc32(text), text))
        self.rows += rows
        killed.note(answered=self.rows)
        if time.monotonic() - self._written_at >= self._seconds:
            self.write()
        if time.monotonic() - self._saved_at >= self._save_seconds:
            self.write()
            self._saved()
            self._saved_at = time.monotonic()

    def write(self) -> None:
        """Append what is new to the file, and have the system write it to disk."""
        if self._new:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            lines, self._new = b"".join(self._new), []
            with self.file.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        self._written_at = time.monotonic()

    def num_kept(self) -> int:
        """How many rows of all processes have their answers on disk."""
        kept: dict[str, int] = {}
        for file in self._files():
            kept |= _num_rows(file)
        return sum(kept.values())

    def _files(self) -> list[Path]:
        """The files of all processes that there were, whatever their number was."""
        return sorted(self.folder.glob("answers*.jsonl"))


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """Where a batch's answers stand: all may take gigabytes, so each is read in its turn."""

    file: Path
    start: int
    size: int

    def text(self) -> bytes:
        with self.file.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)[9:]


def _read(path: Path) -> dict[str, _Line]:
    """The lines of a file by their keys; a torn end is cut off, so that lines may follow."""
    known: dict[str, _Line] = {}
    position = end = damaged = 0
    with path.open("rb") as file:
        for line in file:
            position += len(line)
            if _is_whole(line):
                end = position
                known[json.loads(line[9:])["key"]] = _Line(path, position - len(line), len(line))
            elif line.endswith(b"\n"):
                damaged += 1
    if processes.is_main():
        os.truncate(path, end)
    if damaged:
        log.warning(f"{path}: {damaged} damaged lines; their rows are answered again")
    return known


def _num_rows(path: Path) -> dict[str, int]:
    """The rows of each batch of a file by its key; another process may be writing its last line."""
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if _is_whole(line)]
    batches = [json.loads(line[9:]) for line in lines]
    return {batch["key"]: len(batch["results"]) for batch in batches}


class Call:
    """The answers of one call of `in_batches`."""

    def __init__(self, store: Store | None = None, name: str = "") -> None:
        self.store, self.name = store, name

    def known(self, indices: Sequence[int]) -> list[Any] | None:
        """The results of a batch of these rows, if they are stored."""
        return self.store.known(self._key(indices)) if self.store else None

    def add(self, indices: Sequence[int], results: Sequence[Any], rows: int | None = None) -> None:
        """Store the results of a batch of these rows; `rows`: see `Store.add`."""
        if self.store:
            self.store.add(self._key(indices), results, len(results) if rows is None else rows)

    def _key(self, indices: Sequence[int]) -> str:
        rows = hashlib.sha256(json.dumps(list(indices)).encode()).hexdigest()[:16]
        return f"{self.name} {rows}"


def call(desc: str) -> Call:
    """The answers of this call of `in_batches`; outside of `kept` none are stored."""
    return _store.call(desc) if _store else Call()


@contextlib.contextmanager
def kept(folder: Path, save_minutes: float, saved: Callable[[], None]) -> Iterator[Store]:
    """Store the answers that are given in this block in a folder; use those that are there.

    Raises:
        Interrupted: Ctrl-C; its message says how many rows are kept.
    """
    global _store
    _store = store = Store(folder, save_minutes, saved)
    try:
        yield store
    except KeyboardInterrupt:
        store.write()
        saved()
        raise Interrupted(
            f"{store.num_kept()} answered rows are kept; the same command resumes there"
        ) from None
    except BaseException:
        with contextlib.suppress(OSError):  # a full disk, which may be what ended the block
            store.write()
            saved()
        raise
    else:
        with contextlib.suppress(OSError):  # for a copy that outlives the stage (run.push_state)
            store.write()
        processes.barrier()  # nobody writes to a folder that the main process has removed
    finally:
        _store = None


def _is_whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and int(line[:8], 16) == zlib.crc32(line[9:-1])
    except ValueError:
        return False


def _plain(value: Any) -> dict[str, Any]:
    if isinstance(value, np.ndarray):
        data = base64.b64encode(value.tobytes()).decode()
        return {TYPE: ARRAY, "dtype": value.dtype.str, "shape": value.shape, "data": data}
    cls = type(value)
    if cls not in _storable.values():
        raise TypeError(f"{cls.__name__}: mark it with `answered.storable` to store it")
    return {TYPE: cls.__name__} | {f.name: getattr(value, f.name) for f in dataclasses.fields(cls)}


def _object(values: dict[str, Any]) -> Any:
    name = values.pop(TYPE, None)
    if name is None:
        return values
    if name == ARRAY:
        data = np.frombuffer(base64.b64decode(values["data"]), dtype=values["dtype"])
        return data.reshape(values["shape"]).copy()
    return _storable[name](**values)
