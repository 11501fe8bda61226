"""`finetune checkpoints`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", metavar="TASK")
    command.add_argument(
        "--split",
        choices=["validation", "train"],
        default="validation",
        help="rows to score (default: validation); test rows are no means of choosing",
    )
    common.add_style(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """Score the adapters that train.keep_checkpoints kept of a task's evaluations."""
    from finetune import checkpoints  # takes seconds to import (torch)

    return checkpoints.run(root, options.task, options.split, common.style(options))
