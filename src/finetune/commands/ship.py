"""`finetune ship`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "revision", metavar="REV", help="commit, branch, tag, experiment or results/NAME"
    )
    command.add_argument("--against", metavar="MAIN", default="main", help="default: main")
    common.add_shared(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """One verdict for a pull request: exit code 0 is SHIP, 1 DON'T SHIP, 3 INCONCLUSIVE."""
    from finetune.comparing import command, ship_command

    shared = command.Options(
        style=common.style(options), named_only=options.named_only, by_cluster=options.by_cluster
    )
    return ship_command.run(root, options.revision, options.against, shared)
