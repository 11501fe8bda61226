"""Tasks of the queue that DVC takes for running, and folders of experiments that were killed."""

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil

from finetune.core.errors import squeezed
from finetune.doctor import locks, processes
from finetune.doctor.finding import Finding, NotFixed

EXPS = Path(".dvc/tmp/exps")


def find(root: Path) -> list[Finding]:
    """Tasks that are "Running" although their process is dead."""
    dead = {file.stem for file in (root / EXPS / "run").glob("*/*.json") if _is_dead(file)}
    if not dead - {"workspace"}:
        return []
    status = _dvc(root, "queue", "status").stdout  # takes a second
    findings = []
    for words in (line.split() for line in status.splitlines()):
        if words and words[-1] == "Running" and any(each.startswith(words[0]) for each in dead):
            # ID, name, time of day, AM or PM, status; a task need not have a name.
            name = words[1] if len(words) == 5 else words[0]
            findings.append(
                Finding(
                    f"queue: {name} stays Running, its worker is dead",
                    (f"dvc queue kill {name}", f"dvc queue remove {name}"),
                    partial(_kill, root, name),
                )
            )
    return findings


def _is_dead(file: Path) -> bool:
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
        return info["returncode"] is None and not processes.is_alive(info["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _kill(root: Path, name: str) -> str:
    """Let DVC see that the task is dead; it stays in the queue as failed, with its parameters."""
    done = _dvc(root, "queue", "kill", name)
    if done.returncode:
        raise NotFixed(squeezed(done.stderr))
    return (
        f"it is Failed now; queue it again with the same options, it resumes; then `dvc queue "
        f"remove {name}`"
    )


def _dvc(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def find_folders(root: Path) -> list[Finding]:
    """Temporary checkouts that no process works in; none while DVC runs, which might."""
    folders = [
        folder
        for parent in (root / EXPS, root / EXPS / "standalone")
        for folder in sorted(parent.glob("tmp*"))
        if folder.is_dir()
    ]
    if not folders or locks.running_dvc(root):
        return []
    used = _folders_in_use()
    return [
        Finding(
            f"{folder.relative_to(root)}: checkout of an experiment that was killed",
            (f"rm -r {folder}",),
            partial(_remove, folder),
        )
        for folder in folders
        if not any(folder.resolve() in (path, *path.parents) for path in used)
    ]


def _folders_in_use() -> list[Path]:
    used = []
    for process in psutil.process_iter():
        try:
            used.append(Path(process.cwd()))
        except (psutil.Error, OSError):
            continue
    return used


def _remove(folder: Path) -> str:
    shutil.rmtree(folder)
    return "finished stages are in DVC's cache, unfinished ones in .runstate"
