"""`finetune init FILE`: guess columns, check all rows, write the config, print what runs it."""

import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finetune.columns.description import describe
from finetune.composition import compose
from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.files import write_text
from finetune.core.overrides import quoted
from finetune.core.schema import RESERVED, TASK_NAME, TaskSource
from finetune.planning import lengths
from finetune.scaffold import config, findings, layout, splits
from finetune.scaffold.choosing import chooser
from finetune.scaffold.guessing import ColumnOptions, Guess, guess
from finetune.scaffold.layout import Layout


@dataclass(frozen=True)
class Options:
    """Command line options: the task's name, its columns, and whether to ask or overwrite."""

    task: str | None = None
    columns: ColumnOptions = field(default_factory=ColumnOptions)
    yes: bool = False
    force: bool = False


def run(root: Path, path: Path, options: Options) -> int:
    """Write `conf/task/NAME.yaml` for the file or folder at `path`.

    Raises:
        UserError: no task fits the file, or a choice is ambiguous; nothing is written.
    """
    defaults = params.validate_text(compose(root, []), "conf")
    files = layout.find(path)
    name = _name(root, options, path, list(defaults.tasks))
    rows = splits.read(files)
    splits.check_columns(options.columns, files, rows)
    guessed = _guess(files, rows, options)
    by_split = splits.differences(guessed, files, rows)
    checked = findings.check(
        name, files, _source(files, guessed, by_split), guessed.kind, defaults.data
    )
    # By the tokenizer of the default model: one of a larger vocabulary makes fewer tokens.
    tokens, _ = lengths.of_rows(checked.rows, None, defaults.model)
    others = list(defaults.tasks)
    text = config.text(name, files, guessed, by_split, checked.rows, tokens, others)
    file = root / "conf/task" / f"{name}.yaml"
    before = file.read_text(encoding="utf-8") if file.is_file() else None
    write_text(file, text)
    overrides = [
        f"+task@tasks.{name}={name}",
        *(f"~tasks.{task}" for task in defaults.tasks),
        "data=files",
        *_where(root, files),
    ]
    if rate := findings.needed_bad_rate(checked, defaults.data):
        overrides.append(f"data.max_bad_rate={rate:g}")
    try:
        params.validate_text(compose(root, overrides), str(file))
    except UserError:
        file.unlink() if before is None else write_text(file, before)
        raise
    _print_summary(file.relative_to(root), guessed, by_split, checked)
    _print_plan(root, overrides)
    print("\nRun it:\n  dvc exp run " + " ".join(f"-S {shlex.quote(o)}" for o in overrides))
    return 0


def _name(root: Path, options: Options, path: Path, known: list[str]) -> str:
    """The task's name, by default that of the file.

    Raises:
        UserError: it is invalid or taken.
    """
    name = options.task
    if name is None:
        stem = path.resolve().name if path.is_dir() else path.stem
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-")
    if not TASK_NAME.fullmatch(name):
        raise UserError(
            f"--task: {name!r} is not a valid name; use a letter, then letters, digits, _ and -"
        )
    if name in known or name in RESERVED:
        raise UserError(f"--task: {name!r} is taken; give the task another name")
    file = root / "conf/task" / f"{name}.yaml"
    if file.exists() and not options.force:
        raise UserError(f"{file.relative_to(root)}: exists already; --force overwrites it, "
                        "--task gives another name")  # fmt: skip
    return name


def _guess(files: Layout, rows: splits.Rows, options: Options) -> Guess:
    columns = describe(rows[files.learned][: splits.SAMPLE])
    given = options.columns
    notes: list[str] = []
    if given.id is None:
        path, notes = splits.identifier(columns, rows)
        given = replace(given, id=path)
    return replace(guess(columns, given, chooser(options.yes)), notes=notes)


def _source(files: Layout, guessed: Guess, by_split: dict[str, dict[str, Any]]) -> TaskSource:
    spec = {
        "folder": ".",
        "splits": files.splits,
        "fields": guessed.fields,
        "fields_by_split": by_split,
        "delimiter": files.delimiter,
    }
    return TaskSource.model_validate(
        {"embedded": None, "files": spec, "hub": None, "licence": "not stated"}
    )


def _where(root: Path, files: Layout) -> list[str]:
    """Overrides with the location of the files; DVC watches only these, not their neighbours."""
    inside = files.root.is_relative_to(root.resolve())
    folder = files.root.relative_to(root.resolve()) if inside else files.root
    overrides = [f"data.root={quoted(folder)}"]
    if len(files.splits) == 1:
        (name,) = files.splits.values()
        overrides.append(f"data.watch={quoted(folder / name)}")
    return overrides


def _print_plan(root: Path, overrides: list[str]) -> None:
    from finetune.planning.command import print_plan  # takes seconds to import

    print()
    try:
        print_plan(root, overrides)
    except UserError as error:
        print(f"No plan yet: {error}")  # the config is valid without it


def _print_summary(
    file: Path, guessed: Guess, by_split: dict[str, dict[str, Any]], checked: findings.Findings
) -> None:
    print(f"{file}: {guessed.kind}")
    for name, path in guessed.fields.items():
        own = [f"{fields[name]} in {split}" for split, fields in by_split.items() if name in fields]
        print(f"  {name:9} " + ", ".join([*([path] if isinstance(path, str) else path), *own]))
    if "id" not in guessed.fields:
        print("  id        the row's number")
    for note in guessed.notes:
        print(f"  ({note})")
    print(f"\n{findings.table(checked)}")
    if aside := findings.set_aside(checked):
        print("\nSet aside:")
        for line in aside:
            print(f"  {line}")
