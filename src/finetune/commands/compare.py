"""`finetune compare`."""

import argparse
from pathlib import Path

from finetune.commands import common


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "reference", metavar="A", help="commit, branch, tag, experiment or results/NAME"
    )
    command.add_argument(
        "others", metavar="B", nargs="*", help="what is compared with A (default: the workspace)"
    )
    command.add_argument(
        "--fail-if",
        choices=["worse"],
        help="exit with 1 if a task's primary score is worse, or is not compared; for CI",
    )
    command.add_argument(
        "--over",
        metavar="PARAM",
        help="take this parameter for noise instead of the seed of training",
    )
    command.add_argument(
        "--validation", action="store_true", help="compare validation rows: no look at test"
    )
    command.add_argument(
        "--record",
        action="store_true",
        help="write the scores of each B, and their paired differences to A, to "
        "metrics/TASK/forms.json, beside what is exported and served",
    )
    command.add_argument(
        "--ratings",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="which of A and B people prefer, by files of ratings of `finetune rate`, or folders",
    )
    common.add_shared(command)


def run(root: Path, options: argparse.Namespace) -> int:
    """Test whether revisions or experiments are better than A, paired by row, over all seeds."""
    # Imported here: it takes seconds (SciPy, DVC), and other commands do not need it.
    from finetune.comparing import command

    if options.ratings:
        return _by_people(root, options)
    return command.run(
        root,
        [options.reference, *options.others],
        command.Options(
            style=common.style(options),
            over=options.over,
            split="validation" if options.validation else "test",
            fail_if_worse=options.fail_if == "worse",
            named_only=options.named_only,
            by_cluster=options.by_cluster,
            record=options.record,
        ),
    )


def _by_people(root: Path, options: argparse.Namespace) -> int:
    from finetune.core.errors import UserError
    from finetune.rating import compare_command

    for name in ("over", "named_only", "by_cluster", "record"):
        if getattr(options, name):
            raise UserError(
                f"--{name.replace('_', '-')} does not go with --ratings: those are of two runs"
            )
    return compare_command.run(
        root,
        [options.reference, *options.others],
        options.ratings,
        compare_command.Options(
            style=common.style(options),
            split="validation" if options.validation else "test",
            fail_if_worse=options.fail_if == "worse",
        ),
    )
