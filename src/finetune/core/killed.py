"""Notes that running stages leave on disk, for the next command to say how a killed one ended.

A process that the kernel kills for want of memory ends without a word; DVC says "exited with -9".
"""

import contextlib
import json
import logging
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from finetune.core.files import write_json
from finetune.core.memory import oom_kills

log = logging.getLogger(__name__)

# Notes older than this tell nobody anything: the stage came from the run cache, or is gone.
DAYS = 7
SECONDS_BETWEEN_NOTES = 1.0

_notes: dict[str, Any] = {}
_file: Path | None = None
_written_at = 0.0
_ran_out_of_memory = False


def folder() -> Path:
    """Where stages leave their notes; DVC_ROOT is the main repository, in the queue too."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".runstate" / "running"


@contextlib.contextmanager
def watched(stage: str, task: str | None) -> Iterator[None]:
    """Leave a note while the block runs; first say what became of an earlier run of the stage.

    Whatever ends the block from within Python removes the note: only a kill leaves it.
    """
    global _file, _ran_out_of_memory
    name = f"{stage}@{task}" if task else stage
    _ran_out_of_memory = False
    for file, note in _notes_of_killed():
        if note["stage"] == name:
            log.warning(f"finetune: {_message(note)}")
            _ran_out_of_memory |= _kernel_did_it(note) is True
            file.unlink(missing_ok=True)
    me = psutil.Process()
    _notes.clear()
    _notes.update(
        stage=name,
        host=platform.node(),
        pid=me.pid,
        started=me.create_time(),
        oom_kills=oom_kills(),
    )
    _file = folder() / f"{name}-{me.pid}.json"
    write_json(_file, _notes)
    try:
        yield
    finally:
        _file.unlink(missing_ok=True)
        _file = None


def ran_out_of_memory() -> bool:
    """Whether the last run of the stage that runs now was killed for want of memory.

    As far as the kernel's count tells, which is of all processes of the machine.
    """
    return _ran_out_of_memory


def note(**values: Any) -> None:
    """Add to the note of the stage that runs, such as the step it is at; nothing outside of one."""
    global _written_at
    if _file is None:
        return
    is_new = not values.keys() <= _notes.keys()
    _notes.update(values)
    if is_new or time.monotonic() - _written_at >= SECONDS_BETWEEN_NOTES:
        _written_at = time.monotonic()
        with contextlib.suppress(OSError):  # a note is not worth a run
            write_json(_file, _notes)


def messages() -> list[str]:
    """A line for each stage whose last run was killed."""
    return [_message(note) for _, note in _notes_of_killed()]


def _notes_of_killed() -> list[tuple[Path, dict[str, Any]]]:
    notes = []
    for file in sorted(folder().glob("*.json")):
        try:
            note = json.loads(file.read_text(encoding="utf-8"))
            is_ours = note["host"] == platform.node() and not _runs(note["pid"], note["started"])
            is_recent = time.time() - file.stat().st_mtime < DAYS * 86_400
            _message(note)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # damaged, or gone since
        if is_ours and is_recent:
            notes.append((file, note))
    return notes


def _runs(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < 1  # not another that got its number
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _kernel_did_it(note: dict[str, Any]) -> bool | None:
    """Whether memory ran out; None where there is no count, or one that began anew since."""
    now, then = oom_kills(), note["oom_kills"]
    if now is None or then is None or now < then:
        return None
    return now > then


def _message(note: dict[str, Any]) -> str:
    said, todo = "was killed (not by the kernel for want of memory)", ""
    if (killed_by_kernel := _kernel_did_it(note)) is not False:
        how = "was killed by the kernel" if killed_by_kernel else "was killed, most likely"
        said = f"{how} because memory ran out"
        keys = "run.token_budget" if "step" in note else "run.eval_token_budget or run.cache_gb"
        todo = f"; set {keys} lower, or run.memory_gb to what it may use"
    where = f" in step {note['step']} of {note['steps']}" if "step" in note else ""
    budget = f" with {note['tokens']} tokens a micro-batch" if "tokens" in note else ""
    resumes = "; the same command resumes it from its last checkpoint" if "step" in note else ""
    return f"{note['stage']}: the last run {said}{where}{budget}{todo}{resumes}"
