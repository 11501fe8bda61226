"""The stages that dvc.yaml declares, checked as far as this project reads them."""

from pathlib import Path
from typing import Any

from finetune.core import yaml_text
from finetune.core.errors import FileError

# `git checkout` brings a file back that an edit broke.
REMEDY = "see `git diff dvc.yaml`"


def stages(path: Path) -> dict[str, dict[str, Any]]:
    """The entries of dvc.yaml by the names of their stages, `foreach` and `do` as they stand there.

    Raises:
        FileError: it is not YAML, or an entry is not what DVC's stages are made of.
    """
    content = yaml_text.read(path)
    entries = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise FileError(f"{path}: has no section `stages`; {REMEDY}")
    for name, entry in entries.items():
        _check(path, name, entry)
    return entries


def stage(path: Path, name: str) -> dict[str, Any]:
    """What dvc.yaml says of one stage: of one for each task, what stands below `do`.

    Raises:
        FileError: see `stages`; also for a stage that is not there.
    """
    return body(entry(path, name))


def entry(path: Path, name: str) -> dict[str, Any]:
    """The entry of one stage; see `stage`."""
    entries = stages(path)
    if name not in entries:
        known = ", ".join(map(str, entries))
        raise FileError(f"{path}: has no stage {name!r}; it has {known}; {REMEDY}")
    return entries[name]


def body(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry says of its stage, be it of one or of one for each task."""
    inner: dict[str, Any] = entry.get("do", entry)
    return inner


def _check(path: Path, name: object, entry: Any) -> None:
    where = f"{path}: stage {name}"
    for part in (entry, body(entry) if isinstance(entry, dict) else entry):
        if not isinstance(part, dict):
            raise FileError(f"{where}: is {part!r:.60}, must be a section; {REMEDY}")
    inner = body(entry)
    if not isinstance(inner.get("cmd"), str):
        raise FileError(f"{where}: cmd is {inner.get('cmd')!r:.60}, must be a command; {REMEDY}")
    for key in ("deps", "params"):
        listed = inner.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise FileError(f"{where}: {key} is {listed!r:.60}, must be a list of texts; {REMEDY}")
