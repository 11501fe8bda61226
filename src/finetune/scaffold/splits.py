"""The rows of every split of a layout: which column names them, and what differs between splits."""

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.core.errors import DataError, UserError
from finetune.data import readers
from finetune.data.fields import MISSING, at
from finetune.scaffold.choosing import refuse
from finetune.scaffold.columns import Column, describe
from finetune.scaffold.guessing import ID, Guess, Wishes, guess, is_named
from finetune.scaffold.layout import Layout
from finetune.tasks.kinds import kind

# Rows that columns are described by.
SAMPLE = 500

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def read(layout: Layout) -> dict[str, list[dict[str, Any]]]:
    """All rows of every split that can be read as rows.

    Raises:
        DataError: a file is not of its format, or holds no rows.
    """
    rows = {}
    for split, name in layout.splits.items():
        placed = list(readers.read(layout.root / name, layout.delimiter))
        rows[split] = [row for _, row in placed if not isinstance(row, str)]
        if not rows[split]:
            first = f"; {placed[0][0]}: {placed[0][1]}" if placed else ""
            raise DataError(f"{layout.root / name}: holds no rows{first}")
    return rows


def check_wishes(wishes: Wishes, layout: Layout, rows: Rows) -> None:
    """See that the columns that options name are there.

    Raises:
        DataError: one is in no row.
    """
    sample = rows[layout.learned][:SAMPLE]
    wanted = [("input", wishes.input), ("id", wishes.id), *(("target", t) for t in wishes.target)]
    for option, path in wanted:
        if path is not None and all(at(row, path) is MISSING for row in sample):
            told = ", ".join(map(repr, describe(sample)))
            raise DataError(
                f"--{option}: {layout.splits[layout.learned]} has no {path!r}; it has {told}"
            )


def identifier(columns: Mapping[str, Column], rows: Rows) -> tuple[str | None, list[str]]:
    """The column that names rows, if one does; and what is to be said of those that do not."""
    notes = []
    for column in columns.values():
        if not is_named(column, ID):
            continue
        problem = next(filter(None, (_no_id(column.path, found) for found in rows.values())), None)
        if problem is None:
            return column.path, notes
        notes.append(f"{column.path!r} is no id: {problem}")
    return None, notes


def _no_id(path: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a column cannot name the rows; None if it can."""
    seen = set()
    for row in rows:
        value = at(row, path)
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            return f"{None if value is MISSING else value!r:.30} in some row"
        if str(value) in seen:
            return f"{value!r:.30} stands in more than one row"
        seen.add(str(value))
    return None


def differences(found: Guess, layout: Layout, rows: Rows) -> dict[str, dict[str, Any]]:
    """Of each split the fields that stand elsewhere than in train; None for one it lacks.

    Raises:
        DataError: a split lacks a field, and no column of it stands out as that.
    """
    what = kind(found.kind)
    differing: dict[str, dict[str, Any]] = {}
    for split, its_rows in rows.items():
        sample = its_rows[:SAMPLE]
        for name, path in found.fields.items():
            paths = [path] if isinstance(path, str) else path
            if any(at(row, p) is not MISSING for row in sample for p in paths):
                continue
            other = None
            if name not in {"id", *what.OPTIONAL}:
                other = _elsewhere(name, path, found, layout, split, describe(sample))
            differing.setdefault(split, {})[name] = other
    return differing


def _elsewhere(
    name: str,
    path: str | list[str],
    found: Guess,
    layout: Layout,
    split: str,
    columns: Mapping[str, Column],
) -> str | list[str]:
    try:
        return guess(columns, Wishes(found.kind), refuse).fields[name]
    except UserError as error:
        raise DataError(
            f"{layout.splits[split]}: has no {path!r}, which is the {name} in "
            f"{layout.splits[layout.learned]}, and nothing that stands out as that; it has "
            f"{', '.join(map(repr, columns))}; name it alike, or give one file and let it be split"
        ) from error
