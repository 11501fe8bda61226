"""`finetune …`: the commands that are used outside the pipeline."""

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from finetune.core import killed
from finetune.core.errors import UserError, one_line

# In the order of `finetune --help`; each is the module of `commands` with this name.
COMMANDS = (
    "params",
    "check",
    "show",
    "kinds",
    "readme",
    "checkpoints",
    "engines",
    "compare",
    "seeds",
    "rank",
    "rate",
    "ship",
    "review",
    "audit",
    "shelve",
    "shelf",
    "push",
    "remote",
    "pin",
    "import-gguf",
    "export",
    "publish",
    "predict",
    "init",
    "dataset",
    "serve",
    "costs",
    "monitor",
    "plan",
    "preflight",
    "doctor",
)


class Command(Protocol):
    """A module of `commands`; it may have `add_options` too, which takes its parser."""

    # Its docstring is the command's help. It returns the exit code. What takes seconds to import
    # is imported in it.
    run: Callable[[Path, argparse.Namespace], int]


def main() -> None:
    """The command line; errors that a user can fix give one line and exit code 2."""
    options = parser().parse_args()
    # Deprecations between libraries with pinned versions: a user cannot act on them.
    warnings.filterwarnings("ignore", category=FutureWarning)
    with one_line("finetune"):
        for line in killed.messages():
            print(f"finetune: {line}", file=sys.stderr)
        try:
            if not Path("dvc.yaml").is_file():
                raise UserError(f"{Path.cwd()}: no dvc.yaml here; run it in the repository's root")
            code = options.run(Path(), options)
            sys.stdout.flush()
            sys.exit(code)
        except BrokenPipeError:
            # `finetune show | head`: a closed pipe is not an error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


def parser() -> argparse.ArgumentParser:
    """The commands and their options; what runs a command is in its `run`."""
    parser = argparse.ArgumentParser(prog="finetune", description="Commands beside the pipeline.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"finetune.commands.{name.replace('-', '_')}")
        run = cast(Command, module).run
        summary = (run.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=summary, description=run.__doc__)
        command.set_defaults(run=run)
        if hasattr(module, "add_options"):
            module.add_options(command)
    return parser


if __name__ == "__main__":
    main()
