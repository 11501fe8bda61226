"""`finetune monitor`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("log", metavar="LOG", type=Path, help="what `finetune serve --log` wrote")
    command.add_argument(
        "--task",
        dest="tasks",
        metavar="TASK",
        action="append",
        default=[],
        help="this one only; may be repeated (default: all tasks of the log)",
    )
    command.add_argument(
        "--model", metavar="NAME", help="the model as it was served (default: that of each task)"
    )
    command.add_argument(
        "--since", metavar="TIME", help="requests from then on, such as 2026-11-22T06:00Z"
    )
    command.add_argument(
        "--url",
        metavar="URL",
        help="ask the running server some test rows again, whose answers must be the committed "
        "predictions; the key comes from FINETUNE_API_KEY",
    )
    command.add_argument(
        "--canaries", metavar="K", type=int, help="of --url: so many rows a task (default: 8)"
    )
    common.add_style(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """Compare what a server logged with the data and predictions; exit 1 if something drifted."""
    from finetune.monitoring import command  # takes a while to import

    return command.run(
        root,
        command.Options(
            log=options.log,
            tasks=options.tasks,
            model=options.model,
            since=options.since,
            url=options.url,
            canaries=options.canaries,
            style=common.style(options),
        ),
    )
