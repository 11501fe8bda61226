"""`finetune shelve`."""

import argparse
from pathlib import Path

from finetune.comparing import runs


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="the new folder's name below results/")
    command.add_argument(
        "--rev",
        metavar="REV",
        default=runs.WORKSPACE,
        help="commit, branch, tag or experiment (default: the workspace)",
    )
    command.add_argument("--note", metavar="TEXT", help="a remark, for about.json")
    command.add_argument("--force", action="store_true", help="replace what has this name")


def run(root: Path, options: argparse.Namespace) -> int:
    """Put a run's parameters, metrics and scores by row into results/, without text of its data."""
    from finetune.shelf import command

    return command.shelve(root, options.name, options.rev, options.note, options.force)
