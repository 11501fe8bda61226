"""`finetune doctor`."""

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--fix", action="store_true", help="mend it")
    command.add_argument(
        "--days",
        metavar="N",
        type=float,
        help="with --fix, also remove run states that were not written to for so long (default: "
        "keep and list them all)",
    )


def run(root: Path, options: argparse.Namespace) -> int:
    """Say what a hard kill left behind, and the commands that mend it; exit 1 if any is left."""
    from finetune.doctor import command

    return command.run(root, options.fix, options.days)
