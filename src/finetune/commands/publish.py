"""`finetune publish`."""

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", metavar="TASK")
    command.add_argument("--repo", metavar="OWNER/NAME", required=True)
    command.add_argument(
        "--export", metavar="DIR", type=Path, help="publish this export, not the adapter as trained"
    )
    command.add_argument(
        "--base-model", metavar="OWNER/NAME", help="the repository of a base that is a folder here"
    )
    command.add_argument("--public", action="store_true", help="default: a private repository")
    command.add_argument(
        "--i-have-the-right",
        action="store_true",
        help="publish although the data's licence does not plainly allow it",
    )
    command.add_argument(
        "--print", action="store_true", help="print the model card, and upload nothing"
    )


def run(root: Path, options: argparse.Namespace) -> int:
    """Put an adapter or an export on the hub, with a card made from the metrics."""
    from finetune.publishing import command  # takes seconds to import (torch)

    return command.run(
        root,
        options.task,
        command.Options(
            repo=options.repo,
            export=options.export,
            base_model=options.base_model,
            is_public=options.public,
            has_right=options.i_have_the_right,
            is_dry=options.print,
        ),
    )
