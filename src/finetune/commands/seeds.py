"""`finetune seeds`."""

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("revision", metavar="REV", help="HEAD, its branch, or an experiment of it")
    command.add_argument(
        "--n", metavar="N", type=int, default=5, help="seeds in all, its own included (default: 5)"
    )


def run(root: Path, options: argparse.Namespace) -> int:
    """Queue runs of a configuration with further seeds of training."""
    from finetune.comparing import seeds

    return seeds.run(root, options.revision, options.n)
