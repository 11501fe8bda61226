"""`finetune rate`."""

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
    what = "commit, branch, tag, experiment or workspace"
    command.add_argument(
        "first", metavar="A", help=f"{what}; A:base is its untuned model, A:few_shot with examples"
    )
    command.add_argument(
        "second", metavar="B", nargs="?", default="workspace", help="default: the workspace"
    )
    command.add_argument("--task", metavar="TASK", help="needed where the runs have several")
    command.add_argument(
        "--rows", metavar="N", type=int, default=50, help="so many rows, drawn (default: 50)"
    )
    command.add_argument(
        "--out", metavar="FILE", type=Path, help="the page (default: ratings/TASK.html)"
    )
    command.add_argument(
        "--validation", action="store_true", help="validation rows: no look at test"
    )
    command.add_argument(
        "--references",
        action="store_true",
        help="put references into the page, hidden until a rater asks",
    )
    command.add_argument(
        "--seed",
        metavar="N",
        type=int,
        help="draw rows and sides by it, to make a page again; a rater who knows it can too",
    )


def run(root: Path, options: argparse.Namespace) -> int:
    """Write a page on which people say which of two runs' answers they prefer, blindly."""
    from finetune.rating import command  # takes seconds to import (SciPy)

    return command.run(
        root,
        [options.first, options.second],
        command.Options(
            task=options.task,
            rows=options.rows,
            out=options.out,
            split="validation" if options.validation else "test",
            references=options.references,
            seed=options.seed,
        ),
    )
