"""Where a kind's fields stand in a file: by options, by a task's config, or by their names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.columns.description import describe
from finetune.composition import compose
from finetune.core import params
from finetune.core.errors import DataError, UserError
from finetune.core.schema import Curate, Data, Files, Model, Params, Prompt, RowFields
from finetune.data import readers
from finetune.data.fields import MISSING, at
from finetune.scaffold import layout
from finetune.scaffold.choosing import refuse
from finetune.scaffold.guessing import ColumnOptions, guess
from finetune.tasks import registry

Fields = dict[str, str | list[str]]
# Rows by which columns are recognized.
SAMPLE = 500


@dataclass(frozen=True)
class Columns:
    """What options say of a file's columns; None or empty where they say nothing."""

    input: str | None = None
    target: Sequence[str] = ()
    id: str | None = None

    @property
    def any(self) -> bool:
        """Whether they say anything."""
        return bool(self.input or self.target or self.id)


@dataclass(frozen=True)
class Setting:
    """What rows of a file are: their kind, data's parameters; a task's files, prompt and curation.

    `model` is the one whose tokenizer counts.
    """

    kind: str
    data: Data
    model: Model
    files: Files | None = None
    prompt: Prompt | None = None
    curate: Curate | None = None

    @property
    def known(self) -> RowFields:
        """The fields of the kind's rows."""
        return registry.options(self.kind).Task.fields


@dataclass(frozen=True)
class Layout:
    """Where the fields stand in a file, and what stands between the cells of CSV."""

    fields: Fields = field(default_factory=dict)
    delimiter: str = ","


def setting(root: Path, kind: str | None, task: str | None) -> Setting:
    """The kind of a file's rows, given itself or by a task of `conf/task`.

    Raises:
        UserError: neither or both are given, or there is no such task.
    """
    if (kind is None) == (task is None):
        raise UserError("dataset check: give --kind, or --task with a task of conf/task")
    own = params.read(root / "params.yaml")
    if task is None:
        return Setting(str(kind), own.data, own.model)
    known = _task(root, task, own)
    source = known.source
    return Setting(known.kind, own.data, own.model, source.files, known.prompt, source.curate)


def _task(root: Path, name: str, own: Params) -> Any:
    if name in own.tasks:
        return own.tasks[name]
    if not (root / "conf/task" / f"{name}.yaml").is_file():
        there = sorted(file.stem for file in (root / "conf/task").glob("*.yaml"))
        raise UserError(f"--task: there is no conf/task/{name}.yaml; there are {', '.join(there)}")
    composed = compose(root, [f"+task@tasks.{name}={name}"])
    return params.validate_text(composed, f"conf/task/{name}.yaml").tasks[name]


def find(file: Path, given: Columns, known: Setting) -> Layout:
    """Where the fields of a kind stand in a file.

    Raises:
        UserError: a field that each row needs stands nowhere, or the file cannot be read.
    """
    if known.files is not None and not given.any:
        split = next((s for s, name in known.files.splits.items() if name == file.name), None)
        own = known.files.fields_by_split.get(split, {}) if split else {}
        merged = {**known.files.fields, **own}
        fields = {name: path for name, path in merged.items() if path is not None}
        layout_ = Layout(fields, known.files.delimiter)
        _check(file, layout_, known)
        return layout_
    delimiter = layout.sniff(file) if file.suffix.lower() == ".csv" and file.is_file() else ","
    found = Layout(_by_name(sample(file, delimiter), given, known), delimiter)
    _check(file, found, known)
    return found


def _by_name(rows: Sequence[Mapping[str, Any]], given: Columns, known: Setting) -> Fields:
    """Fields by options and by columns that are called like them; else as `finetune init` guesses.

    Raises:
        UserError: a guess is ambiguous.
    """
    fields = known.known
    names = ["id", *sorted(fields.required | fields.optional)]
    found: Fields = {name: name for name in names if _has(rows, name)}
    target = sorted(fields.required - {fields.input})
    if given.id:
        found["id"] = given.id
    if given.input:
        found[fields.input] = given.input
    if given.target and target:
        several = given.target[1:] and target[0] in fields.several
        found[target[0]] = list(given.target) if several else given.target[0]
    lacking = [name for name in fields.required if name not in found]
    if lacking and known.kind in registry.names_with_init():
        options = ColumnOptions(known.kind, given.input, given.target, given.id)
        try:
            return {**found, **guess(describe(rows), options, refuse).fields}
        except DataError:
            return found  # what is lacking is then named, with the columns that there are
        except UserError as error:
            raise UserError(str(error).removeprefix("init: ")) from None
    return found


def sample(file: Path, delimiter: str) -> list[Mapping[str, Any]]:
    """The first rows of a file that are rows.

    Raises:
        DataError: it holds none, or cannot be read.
    """
    rows: list[Mapping[str, Any]] = []
    first = ""
    for place, row in readers.read(file, delimiter):
        if isinstance(row, str):
            first = first or f"; {place}: {row}"
        else:
            rows.append(row)
        if len(rows) == SAMPLE:
            break
    if not rows:
        raise DataError(f"{file}: holds no rows{first}")
    return rows


def _check(file: Path, found: Layout, known: Setting) -> None:
    """See that some row has each field that all need.

    Raises:
        DataError: none has.
    """
    rows = sample(file, found.delimiter)
    options = {known.known.input: "--input"}
    for name in sorted(known.known.required):
        path = found.fields.get(name, name)
        if any(_has(rows, each) for each in ([path] if isinstance(path, str) else path)):
            continue
        listed = ", ".join(map(repr, describe(rows)))
        raise DataError(
            f"{file}: has no {path!r}, the {name} of {known.kind}; it has {listed}; name the "
            f"column with {options.get(name, '--target')}"
        )


def _has(rows: Sequence[Mapping[str, Any]], path: str) -> bool:
    return any(at(row, path) is not MISSING for row in rows)
