"""The rows of every split of a layout: their column of ids, and differences between splits."""

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.columns.candidates import ID
from finetune.columns.description import Columns, describe
from finetune.core.errors import DataError, UserError
from finetune.data import readers
from finetune.data.fields import MISSING, at
from finetune.scaffold.choosing import refuse
from finetune.scaffold.guessing import ColumnOptions, Guess, guess
from finetune.scaffold.layout import Layout
from finetune.tasks import registry

# Rows from which columns are described.
SAMPLE = 500

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def read(layout: Layout) -> dict[str, list[dict[str, Any]]]:
    """All readable rows of every split.

    Raises:
        DataError: a file is malformed, or holds no rows.
    """
    rows = {}
    for split, name in layout.splits.items():
        placed = list(readers.read(layout.root / name, layout.delimiter))
        rows[split] = [row for _, row in placed if not isinstance(row, str)]
        if not rows[split]:
            first = f"; {placed[0][0]}: {placed[0][1]}" if placed else ""
            raise DataError(f"{layout.root / name}: holds no rows{first}")
    return rows


def check_columns(options: ColumnOptions, layout: Layout, rows: Rows) -> None:
    """Check that the columns given by options exist.

    Raises:
        DataError: a column is in no row.
    """
    sample = rows[layout.learned][:SAMPLE]
    given = [("input", options.input), ("id", options.id), *(("target", t) for t in options.target)]
    for option, path in given:
        if path is not None and all(at(row, path) is MISSING for row in sample):
            listed = ", ".join(map(repr, describe(sample)))
            raise DataError(
                f"--{option}: {layout.splits[layout.learned]} has no {path!r}; it has {listed}"
            )


def identifier(columns: Columns, rows: Rows) -> tuple[str | None, list[str]]:
    """The column of unique ids, if there is one, and a note on each rejected candidate."""
    notes: list[str] = []
    for column in columns.values():
        if not column.is_named(ID):
            continue
        problem = next(
            filter(None, (_no_id(column.path, its_rows) for its_rows in rows.values())), None
        )
        if problem is None:
            return column.path, notes
        notes.append(f"{column.path!r} is no id: {problem}")
    return None, notes


def _no_id(path: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a column cannot be the id; None if it can."""
    seen = set()
    for row in rows:
        value = at(row, path)
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            return f"{None if value is MISSING else value!r:.30} in some row"
        if str(value) in seen:
            return f"{value!r:.30} stands in more than one row"
        seen.add(str(value))
    return None


def differences(guessed: Guess, layout: Layout, rows: Rows) -> dict[str, dict[str, Any]]:
    """For each split the fields with another column than in train; None for a missing optional one.

    Raises:
        DataError: a split lacks a required field, and no column is an unambiguous replacement.
    """
    optional = registry.options(guessed.kind).Task.fields.optional
    differing: dict[str, dict[str, Any]] = {}
    for split, its_rows in rows.items():
        sample = its_rows[:SAMPLE]
        for name, path in guessed.fields.items():
            paths = [path] if isinstance(path, str) else path
            if any(at(row, p) is not MISSING for row in sample for p in paths):
                continue
            other = None
            if name not in {"id", *optional}:
                other = _other_column(name, path, guessed, layout, split, describe(sample))
            differing.setdefault(split, {})[name] = other
    return differing


def _other_column(
    name: str,
    path: str | list[str],
    guessed: Guess,
    layout: Layout,
    split: str,
    columns: Columns,
) -> str | list[str]:
    try:
        return guess(columns, ColumnOptions(guessed.kind), refuse).fields[name]
    except UserError as error:
        raise DataError(
            f"{layout.splits[split]}: has no {path!r}, which is the {name} in "
            f"{layout.splits[layout.learned]}, and no unambiguous replacement; it has "
            f"{', '.join(map(repr, columns))}; rename it, or give a single file to be split"
        ) from error
