"""Reading and writing files: atomic writes, JSON lines, hashes.

A write goes to a temporary file or folder beside the target first, `.NAME.RANDOM.partial`, which
Git and DVC ignore. The writer holds a lock on it: an unlocked one was left by a killed process, and
the next write to the same target removes it.
"""

import contextlib
import csv
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from finetune.core.errors import FileError

PARTIAL = ".partial"
CONFLICT = re.compile(r"^<<<<<<< .*", re.MULTILINE)


def mode(folder: bool = False) -> int:
    """The permissions that the user's umask gives a new file or folder."""
    umask = os.umask(0o077)  # the only way to read it
    os.umask(umask)
    return (0o777 if folder else 0o666) & ~umask


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: a reader sees the old content or the new."""
    with replaced_file(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        FileError: it is not JSON, or holds a merge conflict of Git.
    """
    return parse_json(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        FileError: it is not UTF-8.
    """
    return _decoded(path.read_bytes(), path)


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path}: not UTF-8 (byte {error.start}: {data[error.start]:#04x}); restore the file "
            "(`git checkout` or `dvc checkout`), or convert it"
        ) from None


def parse_json(text: str, where: str, line: int = 1) -> Any:
    """The value of a JSON text that begins at a line of the file `where`.

    Raises:
        FileError: it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: a number of 5,000 digits
        refuse_conflict(text, where, line)
        if isinstance(error, json.JSONDecodeError):
            line, what = line + error.lineno - 1, error.msg
        else:
            what = str(error)
        raise FileError(
            f"{where}: line {line}: no JSON ({what:.200}); restore the file (`git checkout` or "
            "`dvc checkout`), or `dvc repro` to make it again"
        ) from None


def refuse_conflict(text: str, where: str, line: int = 1) -> None:
    """Check that a text holds no merge conflict of Git; its first line is number `line`.

    Raises:
        FileError: it does.
    """
    if marker := CONFLICT.search(text):
        at = line + text.count("\n", 0, marker.start())
        raise FileError(
            f"{where}: line {at}: a conflict of Git ({marker.group():.60}); resolve it, or take "
            f"one side (`git checkout --ours` or `--theirs`), then `dvc repro`"
        )


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write JSON lines as the rows come, and give their number.

    Decimals become numbers, other values without a JSON type text.
    """
    count = 0
    with replaced_file(path) as new, new.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(f"{line(row)}\n")
            count += 1
    return count


def line(row: dict[str, Any]) -> str:
    """An object as JSON on one line."""
    text = _ENCODER.encode(row)
    try:
        text.encode()
    except UnicodeEncodeError:  # an unpaired surrogate, which JSON can escape
        return json.dumps(row, default=_plain)
    return text


def _plain(value: Any) -> float | str:
    return float(value) if isinstance(value, Decimal) else str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=_plain)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file that this project wrote.

    Raises:
        FileError: a line is not JSON.
    """
    # As bytes: in text mode U+2028 and the like would end a line, in JSON lines they do not.
    with path.open("rb") as file:
        return [jsonl_row(line, path, number) for number, line in enumerate(file, start=1)]


def jsonl_row(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """The object of a line of a JSON lines file, of which this is line `number`.

    Raises:
        FileError: it is not JSON.
    """
    row: dict[str, Any] = parse_json(_decoded(line, path).removesuffix("\n"), str(path), number)
    return row


def write_tsv(path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str] = ()) -> None:
    """A table with tabs between its columns: the keys of its rows, or `columns` of no rows."""
    text = io.StringIO()
    names = list(rows[0] if rows else columns)
    writer = csv.DictWriter(text, names, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_tsv(path: Path) -> list[dict[str, str]]:
    """The rows of a tab-separated table, every value as text.

    Raises:
        FileError: it holds a merge conflict of Git.
    """
    text = read_text(path)
    refuse_conflict(text, str(path))
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t"))


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_hash(path: Path) -> str:
    """The first twelve digits of `sha256`: enough to distinguish files in a table of metrics."""
    return sha256(path)[:12]


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """A new file to write into, which replaces `path` when the block ends without an error."""
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path, is_folder=False) as new:
            yield new
            new.replace(path)


@contextlib.contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """A new folder to write into, which replaces `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _named(path), _temporary(path, is_folder=True) as new:
        yield new
        old = new.with_name(f"{new.name.removesuffix(PARTIAL)}.old{PARTIAL}")
        with _kept_from_sweeps(path):
            try:
                _swap(new, path, old)
            finally:
                if path.exists():
                    _remove(old)


def _swap(new: Path, path: Path, old: Path) -> None:
    # Renamed first, not removed: a kill in between leaves one of the two complete.
    try:
        if path.exists():
            path.rename(old)
        new.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise


@contextlib.contextmanager
def _temporary(path: Path, is_folder: bool) -> Iterator[Path]:
    """A new, locked file or folder beside `path`; removed at the end unless it was renamed."""
    sweep(path)
    with contextlib.ExitStack() as held:
        while True:
            new = _made(path, is_folder)
            held.callback(_remove, new)
            # Another process may have swept it before it was locked: then another one is made.
            if held.enter_context(_kept_from_sweeps(new)) and new.exists():
                break
        new.chmod(mode(is_folder))
        yield new


def _made(path: Path, is_folder: bool) -> Path:
    prefix = f".{path.name}."
    if is_folder:
        return Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix, suffix=PARTIAL))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=PARTIAL)
    os.close(handle)
    return Path(name)


def sweep(path: Path) -> None:
    """Remove temporaries of killed writes to `path`, and restore a folder that one had renamed."""
    for left, _, is_old in _unlocked(path.parent, re.escape(path.name)):
        # OSError: another process removed or holds it.
        with contextlib.suppress(OSError), _opened(left) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_old and not path.exists():
                left.rename(path)
            else:
                _remove(left)


def left_by_kills(folder: Path) -> list[tuple[Path, Path]]:
    """Temporaries of killed writes anywhere under a folder, each with the path it was meant for."""
    parents = [folder, *folder.rglob("*")] if folder.is_dir() else []
    return [
        (left, left.with_name(name))
        for parent in parents
        if parent.is_dir() and not parent.name.endswith(PARTIAL)
        for left, name, _ in _unlocked(parent, ".+?")
    ]


def _unlocked(folder: Path, name: str) -> list[tuple[Path, str, bool]]:
    """Temporaries in a folder that no process writes: what they are of, and whether the old one.

    `name` is a pattern of what they are of.
    """
    pattern = re.compile(rf"\.({name})\.\w+?(\.old)?{re.escape(PARTIAL)}")
    unlocked = []
    for left in sorted(folder.iterdir()):
        match = pattern.fullmatch(left.name)
        if not match or left.is_symlink():
            continue
        # OSError: another process removed or holds it, or the file system has no locks.
        with contextlib.suppress(OSError), _opened(left) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unlocked.append((left, match[1], bool(match[2])))
    return unlocked


@contextlib.contextmanager
def _kept_from_sweeps(path: Path) -> Iterator[bool]:
    """Lock a file or folder, if it exists, for the block, or until this process dies.

    False if another process is sweeping it. A file system without locks is never swept.
    """
    if not path.exists():
        yield False
        return
    with _opened(path) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:
            pass
        yield True


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an error of the operating system name `path`, not a temporary file or nothing."""
    try:
        yield
    except OSError as error:
        if error.filename is None or PARTIAL in str(error.filename):
            error.filename, error.filename2 = str(path), None
        raise
