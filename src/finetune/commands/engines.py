"""`finetune engines`."""

import argparse
from pathlib import Path
from typing import get_args

from finetune.commands import common
from finetune.core.schema import EngineName


def add_options(command: argparse.ArgumentParser) -> None:
    _, *others = get_args(EngineName)
    command.add_argument("task", metavar="TASK")
    command.add_argument(
        "--rows", metavar="N", type=int, default=64, help="so many test rows (default: 64)"
    )
    command.add_argument(
        "--against", choices=others, default=others[0], help=f"default: {others[0]}"
    )
    common.add_style(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """Answer test rows with our engine and another, and test the paired difference of scores."""
    from finetune import engines  # takes seconds to import (torch)

    return engines.run(root, options.task, options.against, options.rows, common.style(options))
