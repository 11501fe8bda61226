"""Notes that running stages leave on disk, for the next command to say how a killed one ended.

A process that the kernel kills for want of memory ends without a word; DVC says "exited with -9".
"""

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from finetune.files import write_json
from finetune.memory import oom_kills

log = logging.getLogger(__name__)

_notes: dict[str, Any] = {}
_file: Path | None = None


def folder() -> Path:
    """Where stages leave their notes; DVC_ROOT is the main repository, in the queue too."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".runstate" / "running"


@contextlib.contextmanager
def watched(stage: str, task: str | None) -> Iterator[None]:
    """Leave a note while the block runs; first say what became of an earlier run of the stage.

    Whatever ends the block from within Python removes the note: only a kill leaves it.
    """
    global _file
    name = f"{stage}@{task}" if task else stage
    for file, note in _dead():
        if note["stage"] == name:
            log.warning(f"finetune: {_told(note)}")
            file.unlink(missing_ok=True)
    me = psutil.Process()
    _notes.clear()
    _notes.update(stage=name, pid=me.pid, started=me.create_time(), oom_kills=oom_kills())
    _file = folder() / f"{name}-{me.pid}.json"
    write_json(_file, _notes)
    try:
        yield
    finally:
        _file.unlink(missing_ok=True)
        _file = None


def note(**values: Any) -> None:
    """Add to the note of the stage that runs, such as the step it is at; nothing outside of one."""
    if _file is not None:
        _notes.update(values)
        write_json(_file, _notes)


def told() -> list[str]:
    """A line for each stage whose last run was killed."""
    return [_told(note) for _, note in _dead()]


def _dead() -> list[tuple[Path, dict[str, Any]]]:
    notes = []
    for file in sorted(folder().glob("*.json")):
        with contextlib.suppress(OSError, json.JSONDecodeError, KeyError):
            note = json.loads(file.read_text(encoding="utf-8"))
            if not _runs(note["pid"], note["started"]):
                notes.append((file, note))
    return notes


def _runs(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < 1  # not another that got its number
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _told(note: dict[str, Any]) -> str:
    now, then = oom_kills(), note["oom_kills"]
    # There may be no counter, or it began anew with a restart of the machine.
    is_known = now is not None and then is not None and now >= then
    if is_known and now == then:
        said, todo = "was killed (not by the kernel for want of memory)", ""
    else:
        said = "was killed by the kernel" if is_known else "was killed, most likely"
        keys = "run.token_budget" if "step" in note else "run.eval_token_budget or run.cache_gb"
        said += " because memory ran out"
        todo = f"; set {keys} lower, or run.memory_gb to what it may use"
    where = f" in step {note['step']} of {note['steps']}" if "step" in note else ""
    budget = f" with {note['tokens']} tokens a micro-batch" if "tokens" in note else ""
    resumes = "; the same command resumes it from its last checkpoint" if "step" in note else ""
    return f"{note['stage']}: the last run {said}{where}{budget}{todo}{resumes}"
