"""The record of an import in its model folder: the source, and the hashes of all files."""

from pathlib import Path
from typing import Any

from finetune.core.errors import FileError
from finetune.core.files import read_json, sha256, write_json

NAME = "gguf.json"


def write(folder: Path, facts: dict[str, Any]) -> None:
    """Write `facts` about the source and the sha256 of every file in the folder."""
    files = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    write_json(folder / NAME, facts | {"files": files})


def read(folder: Path) -> dict[str, Any]:
    """The record of an earlier import; empty if there is none."""
    try:
        return read_json(folder / NAME)
    except (FileNotFoundError, FileError):
        return {}


def is_complete(folder: Path, source_sha256: str) -> bool:
    """Whether the folder holds an unmodified import of the source with this hash."""
    record = read(folder)
    return record.get("sha256") == source_sha256 and all(
        (folder / name).is_file() and sha256(folder / name) == written
        for name, written in record["files"].items()
    )
