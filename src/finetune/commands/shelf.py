"""`finetune shelf`."""

import argparse
from pathlib import Path


def run(root: Path, _: argparse.Namespace) -> int:
    """Write results/README.md: what is shelved, and what of it can be told apart."""
    from finetune.shelf import command

    return command.write_page(root)
