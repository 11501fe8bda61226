"""Guesses of a file's kind of task and of its columns of input, target, id and optional fields.

Both names and contents count. Ambiguities are resolved by `choose`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from finetune.columns.candidates import Candidates, Evidence
from finetune.columns.description import Columns
from finetune.columns.kind_init import Fields, KindInit, Role
from finetune.core.errors import DataError
from finetune.scaffold.choosing import Choose
from finetune.tasks import registry


@dataclass(frozen=True)
class ColumnOptions:
    """Kind and columns, by path, from command line options; None or empty if not given."""

    kind: str | None = None
    input: str | None = None
    target: Sequence[str] = ()
    id: str | None = None


@dataclass(frozen=True)
class Guess:
    """A kind and the columns of its fields; `notes` explain rejected columns."""

    kind: str
    fields: Fields
    notes: list[str] = field(default_factory=list)


def guess(columns: Columns, options: ColumnOptions, choose: Choose) -> Guess:
    """The kind of a task and its fields, from the columns of a file.

    Raises:
        DataError: no column can be the input or the target.
        UserError: `choose` refuses an ambiguous choice.
    """
    kind = options.kind or _kind(columns, options, choose)
    init = registry.init(kind).INIT
    target = list(options.target)
    if not target:
        candidates = init.target.candidates(columns, _given_input(options))
        target = [_choose(candidates, "target", init.target, kind, choose)]
    read = options.input
    if read is None:
        candidates = init.input.candidates(columns, target)
        read = _choose(candidates, "input", init.input, kind, choose)
    fields: Fields = {"id": options.id} if options.id else {}
    fields |= {init.input.field: read, init.target.field: target if target[1:] else target[0]}
    return Guess(kind, fields | init.optional_fields(columns, [read, *target]))


def _given_input(options: ColumnOptions) -> list[str]:
    return [] if options.input is None else [options.input]


def _choose(candidates: Candidates, name: str, role: Role, kind: str, choose: Choose) -> str:
    match candidates.evidence:
        case Evidence.NO_CANDIDATES:
            raise DataError(
                f"init: no column holds {role.expected}, for the {name} of {kind}; see --{name}"
            )
        case Evidence.AMBIGUOUS:
            return choose(f"the {name} of {kind}", f"--{name}", candidates.paths)
    return candidates.paths[0]


def _kind(columns: Columns, options: ColumnOptions, choose: Choose) -> str:
    """The kind whose target has the strongest evidence, among those that fit a given target."""
    inits = {kind: registry.init(kind).INIT for kind in registry.names_with_init()}
    targets = {
        kind: init.target.candidates(columns, _given_input(options)) for kind, init in inits.items()
    }
    if options.target:
        likely = _fitting(columns, options.target[0], inits, targets)
    else:
        best = max(candidates.evidence for candidates in targets.values())
        if best == Evidence.NO_CANDIDATES:
            raise DataError(_no_target(columns, inits))
        likely = [kind for kind, each in targets.items() if each.evidence == best]
        # A long text is more often the target than a number or a label, which many files have too.
        likely.sort(key=lambda kind: -columns[targets[kind].paths[0]].words)
    return likely[0] if len(likely) == 1 else choose("the kind of task", "--kind", likely)


def _fitting(
    columns: Columns, target: str, inits: dict[str, KindInit], targets: dict[str, Candidates]
) -> list[str]:
    """The kinds of which this column is a candidate; without any, those that take its type."""
    column = columns.get(target)
    # A path into a list is no column; what it holds is then checked row by row.
    column_type = column.type if column and column.type != "other" else "text"
    by_type = [kind for kind, init in inits.items() if column_type in init.target_types]
    by_type = by_type or list(inits)
    return [kind for kind in by_type if target in targets[kind].paths] or by_type


def _no_target(columns: Columns, inits: dict[str, KindInit]) -> str:
    listed = ", ".join(f"{c.path!r} ({c.type}: {c.example:.30})" for c in columns.values())
    expected = "; ".join(f"{init.target.expected} ({kind})" for kind, init in inits.items())
    return (
        f"init: no column can be a target: none holds {expected}; there are {listed or 'none'}; "
        "see --kind, --input and --target"
    )
