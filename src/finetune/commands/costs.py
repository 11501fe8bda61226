"""`finetune costs`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    common.add_overrides(command)
    command.add_argument("--gpu", metavar="NAME", help="plan the training for this GPU, such as l4")
    command.add_argument(
        "--hosted",
        metavar="REVISION",
        help="an experiment with a hosted model, whose scores and prices stand beside",
    )
    command.add_argument(
        "--out", metavar="FILE", type=Path, help="of the page (default: reports/costs.html)"
    )
    command.add_argument("--markdown", action="store_true", help="print Markdown")


def run(root: Path, options: argparse.Namespace) -> int:
    """Print what training and answers cost beside hosted models, and write a page of it."""
    from finetune.costs import command  # takes a while to import (list prices)

    style = "github" if options.markdown else "simple"
    return command.run(root, options.overrides, options.gpu, options.hosted, options.out, style)
