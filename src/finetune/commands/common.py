"""Options that several commands have."""

import argparse


def add_style(command: argparse.ArgumentParser) -> None:
    """How tables are printed: see `style`."""
    styles = command.add_mutually_exclusive_group()
    styles.add_argument("--json", action="store_true", help="print JSON")
    styles.add_argument("--markdown", action="store_true", help="print Markdown")


def style(options: argparse.Namespace) -> str:
    """`json`, or a table format of tabulate."""
    return "json" if options.json else "github" if options.markdown else "simple"


def add_shared(command: argparse.ArgumentParser) -> None:
    """The options of commands that compare revisions."""
    add_style(command)
    add_paired(command)


def add_paired(command: argparse.ArgumentParser) -> None:
    """Which runs of a configuration and which test rows a comparison takes."""
    command.add_argument(
        "--named-only",
        action="store_true",
        help="leave out further seeds of these configurations among the experiments",
    )
    command.add_argument(
        "--by-cluster", action="store_true", help="count near-duplicates among the test rows as one"
    )


def add_overrides(command: argparse.ArgumentParser) -> None:
    """Parameters to override, for commands that look at a run in advance."""
    command.add_argument(
        "-S",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="as for `dvc exp run`; may be repeated",
    )
