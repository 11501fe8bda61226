"""The processes of one repository: DVC's, and stages that outlived theirs."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from finetune.doctor.finding import Finding, NotFixed

# A stage that trains saves first, after its optimizer step.
SECONDS_TO_END = 60.0


@dataclass(frozen=True)
class Seen:
    """A process: its folder, its command, the DVC that it says it belongs to, and its stage."""

    process: psutil.Process
    folder: Path
    command: tuple[str, ...]
    dvc_root: str
    stage: str

    @property
    def is_dvc(self) -> bool:
        """Whether it is DVC itself: `dvc …`, `python …/dvc …` or `python -m dvc …`."""
        names = [Path(word).name for word in self.command[:3]]
        return "dvc" in names[:2] or (names[1:] == ["-m", "dvc"])


def running_dvc(root: Path) -> list[int]:
    """The PIDs of DVC in this repository, or in a temporary checkout under it."""
    root = root.resolve()
    return [
        seen.process.pid
        for seen in every()
        if seen.is_dvc and (seen.folder == root or root in seen.folder.parents)
    ]


def is_dvc(pid: int) -> bool:
    """Whether a PID is that of a running DVC, not of a dead one or of another program."""
    try:
        found = seen(psutil.Process(pid))
    except psutil.Error:
        return False
    return found is not None and found.is_dvc


def find(root: Path) -> list[Finding]:
    """Stages of this repository that run although their DVC has ended."""
    return [
        Finding(
            f"stage {seen.stage} still runs (PID {seen.process.pid}), its DVC has ended",
            (f"kill {seen.process.pid}",),
            partial(_end, seen.process),
        )
        for seen in orphans(root)
    ]


def orphans(root: Path) -> list[Seen]:
    """Stages of this repository without a DVC above them; of each the process that it began as."""
    root = root.resolve()
    by_pid = {seen.process.pid: seen for seen in every()}
    stages = {
        pid: seen
        for pid, seen in by_pid.items()
        if seen.stage and seen.dvc_root and Path(seen.dvc_root).resolve() == root
    }
    left = []
    for pid, seen in stages.items():
        try:
            above = [parent.pid for parent in seen.process.parents()]
        except psutil.Error:  # ended since
            continue
        has_dvc = any(by_pid[parent].is_dvc for parent in above if parent in by_pid)
        if not has_dvc and not any(parent in stages for parent in above):
            left.append(stages[pid])
    return left


def _end(process: psutil.Process) -> str:
    """End a stage and what it started, by SIGTERM: it saves what it has."""
    try:
        family = [*process.children(recursive=True), process]
        for each in family:
            each.terminate()
    except psutil.NoSuchProcess:
        return ""
    _, alive = psutil.wait_procs(family, timeout=SECONDS_TO_END)
    if alive:
        raise NotFixed(f"PID {alive[0].pid} does not end; `kill -9 {alive[0].pid}` ends it at once")
    return ""


def every() -> list[Seen]:
    """All processes of ours."""
    return [found for process in psutil.process_iter() if (found := seen(process))]


def seen(process: psutil.Process) -> Seen | None:
    """A process of ours; None for one that has ended or is another user's."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        environment = process.environ()
        return Seen(
            process,
            Path(process.cwd()),
            tuple(process.cmdline()),
            environment.get("DVC_ROOT", ""),
            environment.get("DVC_STAGE", ""),
        )
    except (psutil.Error, OSError):
        return None
