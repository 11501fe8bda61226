"""Reading and writing files: atomic writes, JSON lines, hashes."""

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader never sees half of it, nor does a kill leave it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """One JSON object a line; what is no JSON becomes a number or text of it."""
    write_text(path, "".join(line(row) + "\n" for row in rows))


def line(row: dict[str, Any]) -> str:
    """An object as JSON on one line."""
    text = json.dumps(row, ensure_ascii=False, default=_plain)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: no text, but still JSON when escaped
        return json.dumps(row, default=_plain)
    return text


def _plain(value: Any) -> float | str:
    return float(value) if isinstance(value, Decimal) else str(value)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file that this project wrote."""
    # Not splitlines(): text may hold U+2028 and the like, which are no line ends in JSON lines.
    with path.open(encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def write_tsv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """A table with tabs between its columns, which are the keys of its rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_tsv(path: Path) -> list[dict[str, str]]:
    """The rows of such a table, every value as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def sha256(path: Path) -> str:
    """The hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_hash(path: Path) -> str:
    """The first twelve digits of it: enough to tell two files apart in a table of metrics."""
    return sha256(path)[:12]


@contextlib.contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the place of `path` once the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        new.chmod(0o755)
        yield new
        # Aside first, not removed: a kill in between leaves one of the two whole.
        old = new.with_name(f"{new.name}.old")
        if path.exists():
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)
