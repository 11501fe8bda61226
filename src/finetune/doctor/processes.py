"""The processes of one repository: DVC's, and stages that outlived theirs."""

import contextlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from finetune.core.entry import dvc_above
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
        """Whether it is DVC itself, whatever options of Python stand before: `python -u -m dvc`."""
        return any(Path(word).name == "dvc" for word in self.command)


def running_dvc(root: Path) -> list[int]:
    """The PIDs of DVC in this repository, or in a temporary checkout under it.

    By their command lines, and those above a stage of this repository, which may be programs that
    use DVC's Python API.
    """
    root = root.resolve()
    processes = every()
    named = [
        seen.process.pid
        for seen in processes
        if seen.is_dvc and (seen.folder == root or root in seen.folder.parents)
    ]
    above = [dvc.pid for stage in _first_of_stages(processes, root) if (dvc := _dvc_of(stage))]
    return list(dict.fromkeys([*named, *above]))


def is_alive(pid: int, command: str = "") -> bool:
    """Whether a PID is still that of the DVC that wrote it down, with its command if it is known.

    Another user's counts as alive, where its command line cannot be read.
    """
    if not psutil.pid_exists(pid):
        return False
    try:
        process = psutil.Process(pid)
        words = process.cmdline()
        # A program that uses DVC's Python API has no "dvc" in it, but what it wrote down.
        said = bool(command) and command in " ".join(words)
        return process.status() != psutil.STATUS_ZOMBIE and (
            said or any("dvc" in word for word in words)
        )
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False


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
    return [
        stage
        for stage in _first_of_stages(every(), root.resolve())
        if not _dvc_of(stage) and stage.process.is_running()
    ]


def _first_of_stages(processes: list[Seen], root: Path) -> list[Seen]:
    """Of each stage of this repository that runs the process that it began as."""
    stages = {
        seen.process.pid: seen
        for seen in processes
        if seen.stage and seen.dvc_root and Path(seen.dvc_root).resolve() == root
    }
    first = []
    for stage in stages.values():
        with contextlib.suppress(psutil.NoSuchProcess):  # ended since
            if not any(parent.pid in stages for parent in stage.process.parents()):
                first.append(stage)
    return first


def _dvc_of(stage: Seen) -> psutil.Process | None:
    try:
        return dvc_above(stage.process)
    except psutil.NoSuchProcess:
        return None


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
