"""`finetune remote`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("experiment", metavar="EXPERIMENT", help="a preset of conf/experiment")
    command.add_argument("--gpu", metavar="NAME", required=True, help="such as l40s or h100")
    command.add_argument("--gpus", metavar="N", type=int, default=1, help="of one box; default: 1")
    command.add_argument("--name", metavar="NAME", help="of the experiment; made up otherwise")
    common.add_overrides(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """Print plan, cost and the commands that run an experiment on a rented GPU; starts nothing."""
    from finetune.cloud import command  # takes seconds to import

    return command.run(
        root, options.experiment, options.overrides, options.gpu, options.gpus, options.name
    )
