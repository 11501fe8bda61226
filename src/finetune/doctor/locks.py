"""Entries in DVC's `rwlock` of processes that have ended, or whose PID is another's by now."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from finetune.core.files import write_text
from finetune.doctor import processes
from finetune.doctor.finding import Finding, NotFixed

FILES = (".dvc/tmp/rwlock", ".dvc/tmp/exps/rwlock")


def find(root: Path) -> list[Finding]:
    """Locks that nobody holds."""
    findings = []
    for file in (root / name for name in FILES):
        if not file.is_file():
            continue
        holders = _holders(file)
        stale = {
            pid: command
            for pid, command in holders.items()
            if pid < 0 or not processes.is_alive(pid, command)
        }
        for pid, command in stale.items():
            what = f"{file.relative_to(root)}: locked by PID {pid} ({command}), which has ended"
            if pid < 0:
                what = f"{file.relative_to(root)}: {command}"
            findings.append(Finding(what, (f"rm {file}",), partial(_remove, root, file)))
    return findings


def running_dvc(root: Path) -> list[int]:
    """The PIDs of DVC here: ours, and by its locks one that is another user's or has no stage."""
    holders = [
        pid
        for name in FILES
        if (root / name).is_file()
        for pid, command in _holders(root / name).items()
        if pid >= 0 and processes.is_alive(pid, command)
    ]
    return list(dict.fromkeys([*processes.running_dvc(root), *holders]))


def _holders(file: Path) -> dict[int, str]:
    """Who locks what: the commands by PID; -1 for a file that cannot be read."""
    try:
        locks: dict[str, Any] = json.loads(file.read_text(encoding="utf-8") or "{}")
        readers = [entry for entries in locks.get("read", {}).values() for entry in entries]
        entries = [*readers, *locks.get("write", {}).values()]
        return {int(entry["pid"]): str(entry["cmd"])[:80] for entry in entries}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {-1: "damaged"}


def _remove(root: Path, file: Path) -> str:
    if running := running_dvc(root):
        raise NotFixed(f"DVC is running (PID {running[0]}); try again when it has ended")
    write_text(file, "{}")
    return ""
