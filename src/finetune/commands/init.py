"""`finetune init`."""

import argparse
from pathlib import Path

from finetune.tasks import registry


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="CSV, JSON, JSON lines or Parquet; or a folder with such files called train.*, "
        "val.* (optional) and test.*",
    )
    command.add_argument(
        "--task", metavar="NAME", help="name of the task (default: that of the file)"
    )
    command.add_argument("--kind", choices=registry.names_with_init())
    command.add_argument("--input", metavar="COL", help="column that the model reads")
    command.add_argument(
        "--target",
        metavar="COL",
        action="append",
        default=[],
        help="column that it should write; may be repeated for further references of a summary",
    )
    command.add_argument("--id", metavar="COL", help="column of unique ids")
    command.add_argument("--yes", action="store_true", help="take the best guess, do not ask")
    command.add_argument("--force", action="store_true", help="overwrite the task's config")


def run(root: Path, options: argparse.Namespace) -> int:
    """Write a task's config for your own file, check the file, and print the command to run."""
    from finetune.scaffold import command
    from finetune.scaffold.guessing import ColumnOptions

    columns = ColumnOptions(options.kind, options.input, options.target, options.id)
    return command.run(
        root,
        options.file,
        command.Options(options.task, columns, options.yes, options.force),
    )
