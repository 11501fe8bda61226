"""`finetune audit`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("revision", metavar="NAME", help="experiment, commit, branch or tag")
    command.add_argument("--task", metavar="TASK", help="this one alone (default: all)")
    command.add_argument(
        "--rows",
        metavar="K",
        type=int,
        help="predictions to compute again, of each split of each task; 0: hashes and scores "
        "alone (default: as many as --edited and --probability need)",
    )
    command.add_argument(
        "--edited",
        metavar="RATE",
        type=float,
        default=0.05,
        help="the rate of a split's rows whose edit is to be found (default: 0.05)",
    )
    command.add_argument(
        "--probability",
        metavar="P",
        type=float,
        default=0.95,
        help="with which it is to be found (default: 0.95)",
    )
    command.add_argument(
        "--seed", metavar="N", type=int, help="of the draw of rows (default: one nobody knows)"
    )
    command.add_argument(
        "--tolerance",
        metavar="T",
        type=float,
        default=0.0001,
        help="numbers that differ by no more than this part of a large one of their column "
        "count as rounded otherwise (default: 0.0001)",
    )
    common.add_style(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """Compute random predictions of a revision again from its adapter; exit 1 if any differs."""
    from finetune.auditing import command  # takes seconds to import (DVC, SciPy)

    return command.run(
        root,
        options.revision,
        command.Options(
            task=options.task,
            rows=options.rows,
            seed=options.seed,
            edited=options.edited,
            probability=options.probability,
            tolerance=options.tolerance,
            style=common.style(options),
        ),
    )
