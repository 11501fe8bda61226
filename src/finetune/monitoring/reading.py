"""The log of `finetune serve --log`, and what of it can be compared with a task's rows."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune.core.errors import UserError

Entry = dict[str, Any]
# Prompts that are continued as they are hold no row of the task.
RAW = "/v1/completions"
ANSWERED = 200
TEXTS = ("time", "path", "model", "task")
NEEDED = {*TEXTS, "seconds", "refused", "input_chars"}


@dataclass
class Log:
    """The parsed lines of a log, and how many could not be used.

    entries: one for each request; broken: lines that are no entry; lost: lines that the server
    could not write, as it counted them; earlier: requests before the time asked for; checks:
    canaries and rows of `finetune serve --measure`, which are no user's.
    """

    entries: list[Entry] = field(default_factory=list)
    broken: int = 0
    lost: int = 0
    earlier: int = 0
    checks: int = 0


@dataclass(frozen=True)
class Requests:
    """What a task was asked: requests that were answered, and refused for what they held.

    unanswered: that failed, timed out or whose client left; raw: that continued a prompt as it is;
    others: to other models of the task.
    """

    answered: Sequence[Entry]
    refused: Sequence[Entry]
    unanswered: int
    raw: int
    others: int


def read(file: Path, since: str | None = None) -> Log:
    """The lines of a log, those of requests from a time on.

    Raises:
        UserError: there is no such file, or the time is none.
    """
    start = None if since is None else _time(since)
    if since is not None and start is None:
        raise UserError(f"--since: is {since}, must be a time such as 2026-11-22T06:00Z")
    log = Log()
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                _add(log, line, start)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    return log


def _add(log: Log, line: str, start: datetime | None) -> None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    if isinstance(entry, dict) and type(entry.get("lost")) is int:
        log.lost += entry["lost"]
        return
    is_whole = (
        isinstance(entry, dict)
        and entry.keys() >= NEEDED
        and all(isinstance(entry[key], str) for key in TEXTS)
    )
    time = _time(entry["time"]) if is_whole else None
    if time is None:
        log.broken += 1
    elif start is not None and time < start:
        log.earlier += 1
    elif "purpose" in entry:
        log.checks += 1
    else:
        log.entries.append(entry)


def _time(text: str) -> datetime | None:
    """A time, in UTC where it names no zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def of_task(entries: Sequence[Entry], task: str, model: str) -> Requests:
    """The requests of a task to a model."""
    asked = [entry for entry in entries if entry["task"] == task]
    here = [entry for entry in asked if entry["model"] == model]
    rows = [entry for entry in here if entry["path"] != RAW]
    answered = [entry for entry in rows if entry.get("status") == ANSWERED and "answers" in entry]
    refused = [entry for entry in rows if entry["refused"]]
    return Requests(
        answered=answered,
        refused=refused,
        unanswered=len(rows) - len(answered) - len(refused),
        raw=len(here) - len(rows),
        others=len(asked) - len(here),
    )


def values(entries: Sequence[Entry], key: str) -> Iterator[float]:
    """The numbers of a field, of the requests that have one."""
    for entry in entries:
        value = entry.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield float(value)
