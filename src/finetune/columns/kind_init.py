"""What a kind of task brings for `finetune init`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.columns.candidates import Candidates
from finetune.columns.description import Columns, Type

# Our field → its column, or several that each hold a text.
Fields = dict[str, str | list[str]]


@dataclass(frozen=True)
class Role:
    """Input or target: its field, what its column must hold, and which columns it could be.

    `candidates` gets the columns of a file and those that are already taken by the other role.
    """

    field: str
    expected: str
    candidates: Callable[[Columns, Collection[str]], Candidates]


def _no_fields(columns: Columns, taken: Collection[str]) -> Fields:
    return {}


def _no_counts(rows: Sequence[Any]) -> dict[str, int]:
    return {}


def _no_values(fields: Mapping[str, Any], rows: Sequence[Any]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class KindInit:
    """How `finetune init` sets up a task of one kind; `INIT` of the kind's `init.py`.

    `title` begins the config's header: "Prices", of some file. `template` extends the config
    (`scaffold/task.yaml.j2`), with `values` from the columns of the fields and the clean rows.
    `target_types` are types of a column that an option makes the target though it is no candidate.
    `optional_fields` gives columns of optional fields, `counts` what to say of the kept rows of a
    split, by name.
    """

    title: str
    template: Path
    input: Role
    target: Role
    target_types: frozenset[Type]
    optional_fields: Callable[[Columns, Collection[str]], Fields] = _no_fields
    counts: Callable[[Sequence[Any]], dict[str, int]] = _no_counts
    values: Callable[[Mapping[str, Any], Sequence[Any]], dict[str, Any]] = _no_values
