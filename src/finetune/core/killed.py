"""Notes of running stages on disk, from which the next command reports how a killed one ended.

A process killed by the kernel's out-of-memory killer prints nothing; DVC only reports exit code -9.
"""

import contextlib
import json
import logging
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from finetune.core import processes, runstate
from finetune.core.files import write_json
from finetune.core.memory import oom_kills

log = logging.getLogger(__name__)

# Older notes are ignored: since then the stage was restored from the run cache, or removed.
DAYS = 7
SECONDS_BETWEEN_NOTES = 1.0

_notes: dict[str, Any] = {}
_file: Path | None = None
_written_at = 0.0
# Of the last run of the current stage: whether memory ran out in training, and in scoring rows.
_ran_out = {False: False, True: False}


def folder() -> Path:
    """Where stages leave their notes; DVC_ROOT is the main repository also in queued runs."""
    return runstate.root() / "running"


@contextlib.contextmanager
def watched(stage: str, task: str | None) -> Iterator[None]:
    """Keep a note on disk while the block runs; first report an earlier run that was killed.

    The note is removed however Python leaves the block, so that only a killed process leaves one,
    or one that ended since another of its stage was killed.
    """
    global _file
    name = f"{stage}@{task}" if task else stage
    _ran_out.update({False: False, True: False})
    for file, note in _notes_of_killed():
        if note["stage"] == name:
            log.warning(f"finetune: {_message(note)}")
            _ran_out[bool(note.get("scoring"))] |= _was_oom_killed(note) is True
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
    is_lost = False
    try:
        yield
    except SystemExit as end:
        is_lost = end.code == processes.LOST
        raise
    finally:
        if not is_lost:
            _file.unlink(missing_ok=True)
        _file = None


def ran_out_of_memory(scoring: bool = False) -> bool:
    """Whether the kernel's out-of-memory killer ended the last run of the current stage.

    While it was `scoring` validation rows amid its training, or else while it was not. Inferred
    from the kernel's count, which covers all processes of the machine.
    """
    return _ran_out[scoring]


def forget(stage: str, task: str) -> None:
    """Remove the notes of a stage's ranks that ended because another had, which was not killed."""
    for file, note in _notes_of_killed():
        if note["stage"] == f"{stage}@{task}":
            file.unlink(missing_ok=True)


def note(**values: Any) -> None:
    """Add to the note of the current stage, such as its step; does nothing outside of a stage."""
    global _written_at
    if _file is None:
        return
    is_new = not values.keys() <= _notes.keys() or any(
        value != _notes[key] for key, value in values.items() if isinstance(value, bool)
    )
    _notes.update(values)
    if is_new or time.monotonic() - _written_at >= SECONDS_BETWEEN_NOTES:
        _written_at = time.monotonic()
        with contextlib.suppress(OSError):  # a failure to write a note must not fail the run
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
            continue  # damaged, or removed since
        if is_ours and is_recent:
            notes.append((file, note))
    return notes


def _runs(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < 1  # not another process with a reused id
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _was_oom_killed(note: dict[str, Any]) -> bool | None:
    """Whether memory ran out; None if there is no count, or it was reset since."""
    now, then = oom_kills(), note["oom_kills"]
    if now is None or then is None or now < then:
        return None
    return now > then


def _message(note: dict[str, Any]) -> str:
    event, remedy = "was killed (not by the kernel for want of memory)", ""
    if (killed_by_kernel := _was_oom_killed(note)) is not False:
        how = "was killed by the kernel" if killed_by_kernel else "was killed, most likely"
        event = f"{how} because memory ran out"
        is_training = "step" in note and not note.get("scoring")
        keys = "run.token_budget" if is_training else "run.eval_token_budget or run.cache_gb"
        remedy = f"; set {keys} lower, or run.memory_gb to what it may use"
    where = f" in step {note['step']} of {note['steps']}" if "step" in note else ""
    budget = f" with {note['tokens']} tokens a micro-batch" if "tokens" in note else ""
    resumes = (
        "; the same command resumes it from its last checkpoint, if any" if "step" in note else ""
    )
    if "answered" in note:
        where = f" after {note['answered']} answered rows"
        resumes = "; the same command resumes there"
    return f"{note['stage']}: the last run {event}{where}{budget}{remedy}{resumes}"
