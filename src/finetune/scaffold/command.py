"""`finetune init FILE`: guess, check all of it, write the config, and say what runs it."""

import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finetune.composition import compose
from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.files import write_text
from finetune.core.schema import RESERVED, TASK_NAME, TaskSource
from finetune.scaffold import config, findings, layout, splits
from finetune.scaffold.choosing import chooser
from finetune.scaffold.columns import describe
from finetune.scaffold.guessing import Guess, Wishes, guess
from finetune.scaffold.layout import Layout


@dataclass(frozen=True)
class Options:
    """What was typed: a name for the task, columns, and whether to ask or overwrite."""

    task: str | None = None
    wishes: Wishes = field(default_factory=Wishes)
    yes: bool = False
    force: bool = False


def run(root: Path, path: Path, options: Options) -> int:
    """Write `conf/task/NAME.yaml` for the file or folder at `path`.

    Raises:
        UserError: it holds no task, or there is a choice and nobody to make it; nothing is written.
    """
    defaults = params.validate_text(compose(root, []), "conf")
    files = layout.find(path)
    name = _name(root, options, path, list(defaults.tasks))
    rows = splits.read(files)
    splits.check_wishes(options.wishes, files, rows)
    found = _guess(files, rows, options)
    by_split = splits.differences(found, files, rows)
    checked = findings.check(
        name, files, _source(files, found, by_split), found.kind, defaults.data
    )
    text = config.text(name, files, found, by_split, checked.rows, list(defaults.tasks))
    file = root / "conf/task" / f"{name}.yaml"
    before = file.read_text(encoding="utf-8") if file.is_file() else None
    write_text(file, text)
    overrides = [
        f"+task@tasks.{name}={name}",
        *(f"~tasks.{task}" for task in defaults.tasks),
        "data=files",
        *_where(root, files),
    ]
    if share := findings.needed_bad_share(checked, defaults.data):
        overrides.append(f"data.max_bad_share={share:g}")
    try:
        params.validate_text(compose(root, overrides), str(file))
    except UserError:
        file.unlink() if before is None else write_text(file, before)
        raise
    _tell(file.relative_to(root), found, by_split, checked)
    _print_plan(root, overrides)
    print("\nRun it:\n  dvc exp run " + " ".join(f"-S {shlex.quote(o)}" for o in overrides))
    return 0


def _name(root: Path, options: Options, path: Path, known: list[str]) -> str:
    """The task's name, that of the file where none is given.

    Raises:
        UserError: it is none, or taken.
    """
    name = options.task
    if name is None:
        stem = path.resolve().name if path.is_dir() else path.stem
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-")
    if not TASK_NAME.fullmatch(name):
        raise UserError(
            f"--task: {name!r} is no name of a task; a letter, then letters, digits, _ and -"
        )
    if name in known or name in RESERVED:
        raise UserError(f"--task: {name!r} is taken; give the task another name")
    file = root / "conf/task" / f"{name}.yaml"
    if file.exists() and not options.force:
        raise UserError(f"{file.relative_to(root)}: is there already; --force writes it anew, "
                        "--task gives another name")  # fmt: skip
    return name


def _guess(files: Layout, rows: splits.Rows, options: Options) -> Guess:
    columns = describe(rows[files.learned][: splits.SAMPLE])
    wishes, notes = options.wishes, []
    if wishes.id is None:
        path, notes = splits.identifier(columns, rows)
        wishes = replace(wishes, id=path)
    found = guess(columns, wishes, chooser(options.yes))
    return replace(found, notes=notes)


def _source(files: Layout, found: Guess, by_split: dict[str, dict[str, Any]]) -> TaskSource:
    spec = {
        "folder": ".",
        "splits": files.splits,
        "fields": found.fields,
        "fields_by_split": by_split,
        "delimiter": files.delimiter,
    }
    return TaskSource.model_validate(
        {"embedded": None, "files": spec, "hub": None, "licence": "not stated"}
    )


def _where(root: Path, files: Layout) -> list[str]:
    """Overrides that lead to the files; only these are watched, not what lies beside them."""
    inside = files.root.is_relative_to(root.resolve())
    folder = files.root.relative_to(root.resolve()) if inside else files.root
    found = [f"data.root={_quoted(folder)}"]
    if len(files.splits) == 1:
        (name,) = files.splits.values()
        found.append(f"data.watch={_quoted(folder / name)}")
    return found


def _quoted(path: Path) -> str:
    """A path as a value of Hydra's grammar, in which blanks and commas mean something."""
    text = path.as_posix()
    if re.fullmatch(r"[\w./-]+", text, re.ASCII):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _print_plan(root: Path, overrides: list[str]) -> None:
    from finetune.planning.command import print_plan  # takes seconds to import

    print()
    try:
        print_plan(root, overrides)
    except UserError as error:
        print(f"No plan yet: {error}")  # the config is written all the same


def _tell(
    file: Path, found: Guess, by_split: dict[str, dict[str, Any]], checked: findings.Findings
) -> None:
    print(f"{file}: {found.kind}")
    for name, path in found.fields.items():
        own = [f"{fields[name]} in {split}" for split, fields in by_split.items() if name in fields]
        print(f"  {name:9} " + ", ".join([*([path] if isinstance(path, str) else path), *own]))
    if "id" not in found.fields:
        print("  id        the row's number")
    for note in found.notes:
        print(f"  ({note})")
    print(f"\n{findings.table(checked)}")
    if aside := findings.set_aside(checked):
        print("\nSet aside:")
        for line in aside:
            print(f"  {line}")
