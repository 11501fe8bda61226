"""`finetune rank`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "experiments",
        metavar="EXPERIMENT",
        nargs="*",
        help="experiments, or results/NAME (default: all experiments)",
    )
    command.add_argument("--shelf", action="store_true", help="rank the shelved runs")
    command.add_argument("--task", metavar="TASK", help="rank by this task alone")
    command.add_argument(
        "--reveal",
        action="store_true",
        help="look at the best one's test rows, and write that down in metrics/looks.json",
    )
    common.add_style(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """Rank experiments by their validation scores: ties, costs, what sets them apart."""
    from finetune.comparing import rank_command

    return rank_command.run(
        root,
        options.experiments,
        rank_command.Options(
            style=common.style(options),
            task=options.task,
            reveal=options.reveal,
            shelf=options.shelf,
        ),
    )
