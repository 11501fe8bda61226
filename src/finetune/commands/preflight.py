"""`finetune preflight`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    common.add_overrides(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """Check machine, packages, accounts, memory and disk before a run; exit 1 on a failure."""
    from finetune.preflight import command  # takes seconds to import

    return command.run(root, options.overrides)
