"""`finetune predict`."""

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", metavar="TASK")
    command.add_argument(
        "file", metavar="FILE", type=Path, help="CSV, JSON, JSON lines or Parquet; answers optional"
    )
    command.add_argument(
        "--adapter",
        metavar="ADAPTER",
        help="a folder, or OWNER/NAME@REVISION on the hub (default: the task's own)",
    )
    command.add_argument(
        "--out", metavar="OUT", type=Path, help="the new JSON lines file (default: print them)"
    )


def run(root: Path, options: argparse.Namespace) -> int:
    """Answer the rows of a file with a tuned model, this repository's or one on the hub."""
    from finetune.predicting import command  # takes seconds to import (torch)

    return command.run(root, options.task, options.file, options.adapter, options.out)
