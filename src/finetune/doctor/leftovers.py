"""Temporary files of killed writes, and the run states that killed stages resume from."""

import re
import shutil
import time
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from finetune.core import files
from finetune.core.memory import GB
from finetune.doctor.finding import Finding, NotFixed
from finetune.modeling.answered import FILE as ANSWERS
from finetune.training import state

# Where stages write.
FOLDERS = ("data", "models", "predictions", "metrics", "reports", "hardware", "results")
RUN_STATE = re.compile(r"(.+)-[0-9a-f]{16}")
DAY = 86_400
# From when on a run state may be forgotten; only a person can know.
OLD_DAYS = 30


def find_partial(root: Path) -> list[Finding]:
    """Temporary files and folders beside the outs, of writes that were killed."""
    return [
        Finding(
            f"{left.relative_to(root)}: left by a killed write",
            (f"rm -r {left}",) if not left.name.endswith(".old.partial") else (),
            partial(_sweep, target),
        )
        for folder in FOLDERS
        for left, target in files.left_by_kills(root / folder)
    ]


def _sweep(target: Path) -> str:
    existed = target.exists()
    files.sweep(target)
    return f"{target} was put back" if target.exists() and not existed else ""


def old_run_states(root: Path, days: float | None) -> list[Finding]:
    """Run states that nothing has resumed from for so many days; none if no number was given."""
    if days is None:
        return []
    return [
        Finding(
            f"{folder.relative_to(root)}: not resumed from for {_age(folder) / DAY:.0f} days",
            (f"rm -r {folder}",),
            partial(_remove, folder),
        )
        for folder in _run_states(root)
        if _age(folder) > days * DAY
    ]


def notes(root: Path, days: float | None) -> list[str]:
    """A line for each run state that is kept: what it belongs to, its age and size.

    Without a number of days all are kept, and of the old ones it says what removes them.
    """
    return [
        f"{folder.relative_to(root)}: {_progress(folder)}, {_age(folder) / 3600:.1f} hours old, "
        f"{_size(folder) / GB:.3f} GB; the same command resumes from it"
        f"{_hint(folder) if days is None else ''}"
        for folder in _run_states(root)
        if days is None or _age(folder) <= days * DAY
    ]


def _hint(folder: Path) -> str:
    is_old = _age(folder) > OLD_DAYS * DAY
    return f"; `finetune doctor --fix --days {OLD_DAYS}` removes it" if is_old else ""


def _run_states(root: Path) -> list[Path]:
    return [
        folder
        for folder in sorted((root / ".runstate").glob("*"))
        if folder.is_dir() and RUN_STATE.fullmatch(folder.name)
    ]


def _progress(folder: Path) -> str:
    if (folder / ANSWERS).is_file():
        batches = (folder / ANSWERS).read_bytes().count(b"\n")
        return f"{batches} answered batches"
    checkpoints = state.checkpoints(folder)
    if checkpoints:
        return f"checkpoint of step {state.step_of(checkpoints[-1])}"
    return "nothing saved yet"


def _age(folder: Path) -> float:
    """Seconds since the last write in it."""
    paths = [folder, *folder.rglob("*")]
    return time.time() - max(path.stat().st_mtime for path in paths)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _remove(folder: Path) -> str:
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            shutil.rmtree(folder)
    except Timeout:
        raise NotFixed("a stage is using it") from None
    return ""
