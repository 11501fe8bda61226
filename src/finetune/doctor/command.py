"""`finetune doctor`: print what was left behind; with `--fix`, mend it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from finetune.core.errors import UserError, squeezed
from finetune.doctor import leftovers, locks, processes, queue, repository
from finetune.doctor.finding import Finding

Check = Callable[[Path], list[Finding]]


def run(root: Path, fix: bool, days: float | None) -> int:
    """The exit code: 1 if something is left that was not mended.

    days: run states that are older are removed; None keeps all.
    """
    # In the order in which they are mended: a stage that runs holds much of the rest.
    checks: list[Check] = [
        processes.find,
        locks.find,
        queue.find,
        queue.find_folders,
        repository.find,
        leftovers.find_partial,
        partial(leftovers.old_run_states, days=days),
    ]
    if running := locks.running_dvc(root):
        print(f"DVC is running here (PID {running[0]}): what may be its own is left alone.")
    found = left = 0
    for check in checks:
        for finding in check(root):
            found += 1
            left += not _tell(finding, fix)
    for line in leftovers.notes(root, days):
        print(f"kept  {line}")
    if not found:
        print("Nothing was left behind.")
    elif left and not fix:
        print(
            "\nThe same command with --fix runs these; uncommitted work is kept"
            f"{'' if days is None else ', run states of more days than --days are not'}."
        )
    return int(left > 0)


def _tell(finding: Finding, fix: bool) -> bool:
    """Print a finding, mend it if asked to; whether it is mended."""
    if not fix:
        print(f"found {finding.what}")
        for command in finding.commands:
            print(f"      $ {command}")
        return False
    try:
        remark = finding.fix()
    except (UserError, OSError) as error:
        print(f"left  {finding.what}: {squeezed(error)}")
        return False
    print(f"fixed {finding.what}{f': {remark}' if remark else ''}")
    return True
