"""`finetune plan`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    common.add_overrides(command)
    command.add_argument("--gpu", metavar="NAME", help="plan for this GPU, such as h100")


def run(root: Path, options: argparse.Namespace) -> int:
    """Print memory, steps, time and cost of a run in advance; exit 1 if it exceeds the memory."""
    from finetune.planning import command  # takes seconds to import

    return command.run(root, options.overrides, options.gpu)
