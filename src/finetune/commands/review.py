"""`finetune review`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="an experiment, here or on the remote")
    command.add_argument(
        "--remote", metavar="REMOTE", default="origin", help="Git remote or URL (default: origin)"
    )
    command.add_argument("--against", metavar="MAIN", default="main", help="default: main")
    command.add_argument("--markdown", action="store_true", help="print Markdown")
    common.add_paired(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """Pull an experiment; print its metrics, comparison and verdict; exit codes are ship's."""
    from finetune.reviewing import command  # takes seconds to import (SciPy, DVC)

    return command.run(
        root,
        options.name,
        command.Options(
            against=options.against,
            remote=options.remote,
            style="github" if options.markdown else "simple",
            named_only=options.named_only,
            by_cluster=options.by_cluster,
        ),
    )
