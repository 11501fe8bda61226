"""`finetune kinds`."""

import argparse
from pathlib import Path

from finetune import kinds_table
from finetune.tasks import registry


def run(_: Path, __: argparse.Namespace) -> int:
    """List the kinds of task with their fields, metrics and baselines."""
    print("\n\n".join(kinds_table.table(kind) for kind in registry.names()))
    return 0
