"""Rows of a kind from a file that has inputs, and maybe no answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.core.errors import DataError
from finetune.core.rows import TaskRow
from finetune.core.source_params import Files, RowFields
from finetune.data import fields, readers
from finetune.tasks.registry import Rows


def rows(
    file: Path, kind: Rows, known: RowFields, files: Files, template: TaskRow
) -> list[TaskRow]:
    """The rows of a file; what they should be answered with is the template's, whatever is there.

    Fields are found under our own names, or in the columns that `files` says for the task's own
    files. A row without an id is called by its place.

    Raises:
        DataError: a row has no input, or is no row of this kind; an id stands twice; no rows.
    """
    dumped = template.model_dump()
    answer = {name: dumped[name] for name in known.required - {known.input}}
    by_id: dict[str, TaskRow] = {}
    for place, row in readers.read(file, files.delimiter):
        if isinstance(row, str):
            raise DataError(f"{file}: {place}: {row}")
        given = {"id": place, **_given(row, known, files)}
        if known.input not in given:
            column = files.fields.get(known.input, known.input)
            raise DataError(f"{file}: {place}: has no {known.input} (column {column})")
        try:
            cleaned = kind.clean({**given, **answer})
        except ValueError as error:
            raise DataError(f"{file}: {place}: {error}") from None
        if cleaned.id in by_id:
            raise DataError(f"{file}: {place}: the id {cleaned.id:.60} stands twice")
        by_id[cleaned.id] = cleaned
    if not by_id:
        raise DataError(f"{file}: holds no rows")
    return list(by_id.values())


def _given(row: Mapping[str, Any], known: RowFields, files: Files) -> dict[str, Any]:
    """What a row has of what a model may read, by our names."""
    names = {"id", known.input, *known.optional}
    own = fields.take(row, {name: name for name in names}, names, names)
    mapped = fields.take(row, files.fields, names, names)
    return {
        name: value
        for taken in (own, mapped)
        for name, value in fields.joined(taken, known.joined).items()
        if value is not None and value != ""  # an empty cell
    }
