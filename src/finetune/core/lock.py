"""dvc.lock as DVC writes it, checked as far as this project reads it."""

from collections.abc import Mapping
from typing import Any

from finetune.core.errors import FileError, brief
from finetune.core.params import read_yaml

REMEDY = "`git checkout dvc.lock` brings back the committed one, `dvc repro` makes it anew"


def stages(text: str, where: str) -> dict[str, dict[str, Any]]:
    """What the text of a dvc.lock says of each stage; `where` names it in messages.

    Numbers are read as in params.yaml: PyYAML would read one such as 1e-06 as text.

    Raises:
        FileError: a stage is no section, or holds something else than DVC writes.
        ParamsError: it is not YAML.
    """
    content = read_yaml(text, where)
    locked = content.get("stages") or {}
    if not isinstance(locked, dict):
        raise _wrong(where, "stages", locked, "sections")
    for name, stage in locked.items():
        if not isinstance(stage, dict):
            raise _wrong(where, f"stages.{name}", stage, "a section")
        for key in ("deps", "outs"):
            entries = stage.get(key, [])
            if not isinstance(entries, list) or not all(map(_is_entry, entries)):
                raise _wrong(where, f"stages.{name}.{key}", entries, "a list of paths with hashes")
        files = stage.get("params", {})
        if not isinstance(files, dict) or not all(isinstance(f, dict) for f in files.values()):
            raise _wrong(where, f"stages.{name}.params", files, "sections of parameters")
    return locked


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, Mapping)
        and isinstance(entry.get("path"), str)
        and isinstance(entry.get("md5"), str | None)
    )


def _wrong(where: str, key: str, value: object, wanted: str) -> FileError:
    return FileError(f"{where}: {key} is {brief(value)}, must be {wanted}; {REMEDY}")
