"""`finetune pin`."""

import argparse
from pathlib import Path

from finetune import pinning
from finetune.checks import parameters


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", nargs="+", metavar="model=NAME|data=TASK")


def run(root: Path, options: argparse.Namespace) -> int:
    """Write the hub's current commits of models and data sets to conf/."""
    for what in options.what:
        print(pinning.pin(root, what), flush=True)
    if parameters.differences(root):
        print("params.yaml still has the old commit: update it with `finetune params`")
    return 0
