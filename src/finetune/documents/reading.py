"""Documents of a folder, each read by its ending; those that cannot be read are named with why."""

import importlib
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from finetune.core.errors import DataError, explained, squeezed
from finetune.documents.blocks import Parsed

# The module that reads each ending. They import libraries, so each is loaded when it is needed.
READERS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "plain",
    ".text": "plain",
    ".rst": "plain",
    ".pdf": "pdf",
    ".docx": "word",
}


@dataclass(frozen=True)
class Document:
    """A document that was read; `name` is its path below what was given."""

    name: str
    parsed: Parsed


@dataclass
class Reading:
    """The documents, those that could not be read with the reason, and files of other formats."""

    documents: list[Document] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)


def read(paths: Sequence[Path]) -> Reading:
    """The documents of folders, with what is below them, and of single files.

    Hidden files and folders are passed over, and links to folders are not followed.

    Raises:
        DataError: a path leads nowhere, or nothing could be read.
    """
    reading = Reading()
    for name, file in files(paths).items():
        if file.suffix.lower() in READERS:
            _read(file, name, reading)
        else:
            reading.others[file.suffix.lower() or "no ending"] += 1
    if not reading.documents:
        raise DataError(_nothing(paths, reading))
    return reading


def files(paths: Sequence[Path]) -> dict[str, Path]:
    """All files below the paths by their names, each once.

    A second file of one name is called by its path, or gets a number.
    """
    found: dict[str, Path] = {}
    seen: set[Path] = set()
    for path in paths:
        for file, name in _below(path):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                names = itertools.chain([name, file.as_posix()], _numbered(name))
                found[next(free for free in names if free not in found)] = file
    return found


def _numbered(name: str) -> Iterator[str]:
    return (f"{name} ({number})" for number in itertools.count(2))


def _read(file: Path, name: str, reading: Reading) -> None:
    module = importlib.import_module(f"finetune.documents.{READERS[file.suffix.lower()]}")
    reader = cast(Callable[[Path], Parsed], module.read)
    try:
        parsed = reader(file)
    except MemoryError:
        raise
    except Exception as error:
        # The libraries raise dozens of types on damaged files. Each such file is named.
        reading.unreadable[name] = _why(error)
        return
    if parsed.blocks:
        reading.documents.append(Document(name, parsed))
    else:
        reading.unreadable[name] = "it is empty"


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start}: not UTF-8; convert the file"
    if isinstance(error, OSError) and error.strerror:
        return squeezed(error.strerror)
    return explained(error) or f"{type(error).__name__}: {squeezed(error)}".rstrip(": ")


def _below(path: Path) -> Iterator[tuple[Path, str]]:
    """The files below a path, each with its name, in an order that all machines share."""
    if path.is_file():
        yield path, path.name
        return
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    for folder, folders, files in os.walk(path, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(folder) / name
            if not name.startswith(".") and file.is_file():
                yield file, (Path(path.name) / file.relative_to(path)).as_posix().lstrip("./")


def _refuse(error: OSError) -> None:
    raise error


def _nothing(paths: Sequence[Path], reading: Reading) -> str:
    where = ", ".join(map(str, paths))
    if reading.unreadable:
        name, why = next(iter(reading.unreadable.items()))
        count = len(reading.unreadable)
        return f"{where}: none of {count} documents can be read ({name}: {why})"
    has = ", ".join(f"{n} × {ending}" for ending, n in reading.others.most_common(5))
    return (
        f"{where}: no documents; known endings: {', '.join(READERS)} (there are: {has or 'none'})"
    )
