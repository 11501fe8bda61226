"""`finetune push`."""

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("names", metavar="NAME", nargs="*", help="experiments")
    command.add_argument("--git-remote", default="origin", metavar="NAME", help="default: origin")
    command.add_argument(
        "--probe",
        action="store_true",
        help="push nothing, and see that both remotes can be written",
    )


def run(root: Path, options: argparse.Namespace) -> int:
    """Push experiments to Git and DVC's remote, and see that they have arrived."""
    from finetune.cloud import pushing  # takes seconds to import (dvc)
    from finetune.core.errors import UserError

    if options.probe:
        return pushing.probe(root, options.git_remote)
    if not options.names:
        raise UserError("push: which experiment? `dvc exp list` shows them")
    return pushing.run(root, options.names, options.git_remote)
