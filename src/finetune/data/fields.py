"""Our fields out of a source's rows: by column, by dotted path, or by several of either."""

from collections.abc import Collection, Mapping
from typing import Any

MISSING = object()


def at(value: Any, path: str) -> Any:
    """The value at a dotted path into a row, such as `answer.text` or `answers.0.text`; or MISSING.

    At each level a key that is spelled like the whole rest of the path comes before the nested
    reading: a column called `answer.text` is that column.
    """
    if isinstance(value, Mapping) and path in value:
        return value[path]
    head, _, rest = path.partition(".")
    if isinstance(value, list) and head.isdecimal() and int(head) < len(value):
        inner = value[int(head)]
    elif isinstance(value, Mapping) and rest and head in value:
        inner = value[head]
    else:
        return MISSING
    return at(inner, rest) if rest else inner


def lacking(fields: Mapping[str, str | list[str]], columns: Collection[str]) -> list[str]:
    """The paths of a mapping that no row can have, as they begin with none of its columns."""
    paths = [p for path in fields.values() for p in ([path] if isinstance(path, str) else path)]
    return [p for p in paths if p not in columns and p.partition(".")[0] not in columns]


def take(
    row: Mapping[str, Any],
    fields: Mapping[str, str | list[str]],
    wanted: Collection[str],
    optional: Collection[str],
) -> dict[str, Any]:
    """The wanted fields of a row in our names; what is not there is None.

    Several paths for one field give the list of what they hold, without those that are absent or
    null. `broken` says what is wrong with a row in which a path leads nowhere, or to bytes; an
    optional field, and one that is missing under its own name, are for the kind to judge.
    """
    taken: dict[str, Any] = {}
    broken = []
    for name in wanted:
        if name not in fields:
            continue
        path = fields[name]
        value = at(row, path) if isinstance(path, str) else _several(row, path)
        if value is MISSING and path != name and name not in optional:
            broken.append(f"{name} is missing: the row has no {_spelled(path)}")
        elif _holds_bytes(value):
            broken.append(f"{name} is binary, must be text")
            value = None
        taken[name] = None if value is MISSING else value
    return {"broken": "; ".join(broken), **taken} if broken else taken


def joined(taken: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Taken fields, those of `names` as one text each where they are lists or objects.

    A part is a line, an object's as `Brand: Acme`; what is empty is left out.
    """
    return {
        name: "\n".join(_lines(value))
        if name in names and isinstance(value, list | Mapping)
        else value
        for name, value in taken.items()
    }


def _lines(value: Any) -> list[str]:
    if isinstance(value, list):
        return [line for part in value for line in _lines(part)]
    if isinstance(value, Mapping):
        parts = {str(key): " ".join(_lines(part)) for key, part in value.items()}
        return [f"{key}: {part}" for key, part in parts.items() if part]
    text = "" if value is None else str(value).strip()
    return [text] if text else []


def _several(row: Mapping[str, Any], paths: list[str]) -> Any:
    values: list[Any] = []
    for path in paths:
        value = at(row, path)
        if value is not MISSING and value is not None:
            values += value if isinstance(value, list) else [value]
    return values or MISSING


def _holds_bytes(value: Any) -> bool:
    """Whether a value is binary, or a list or mapping with a binary value directly in it."""
    inner = value.values() if isinstance(value, Mapping) else value
    listed = isinstance(value, list | Mapping) and any(isinstance(v, bytes) for v in inner)
    return isinstance(value, bytes) or listed


def _spelled(path: str | list[str]) -> str:
    return repr(path) if isinstance(path, str) else " or ".join(map(repr, path))
