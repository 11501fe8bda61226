"""How every stage starts and ends: `python -m finetune.stages.NAME [TASK]`."""

import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import psutil

from finetune.core import killed, launch, params, processes
from finetune.core.errors import one_line
from finetune.core.restore import outs_restored, undoing_named


def main(run: Callable[..., None], name: str | None = None, in_processes: bool = False) -> None:
    """Run one stage; a user's mistake is one line and exit code 2, with nothing written.

    Its name in dvc.yaml is the module's, unless it is given. With `in_processes` it runs in as many
    as `run.processes` says.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for chatty in ("absl", "httpx", "httpx2", "datasets", "fsspec", "dvclive", "dvc"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Deprecations between libraries whose versions are pinned: nothing that a user could act on.
    warnings.filterwarnings("ignore", category=FutureWarning)
    stage = name or Path(sys.argv[0]).stem
    task = sys.argv[1] if len(sys.argv) > 1 else task_of(stage, os.environ.get("DVC_STAGE", ""))
    if processes.count() > 1:
        _run_rank(run, stage, str(task))
        return
    name_in_messages = f"finetune: {stage}@{task}" if task else f"finetune: {stage}"
    address = os.environ.get("DVC_STAGE", "")
    with undoing_named(), one_line(name_in_messages, stage), outs_restored(address):
        end_by_signals()
        declared = params.for_stage(stage, task)
        if task and in_processes and launch.is_needed(declared.run):
            launch.launch(stage, task, declared.run.processes, name_in_messages)
            return
        with killed.watched(stage, task):
            run(declared, task) if task else run(declared)


def _run_rank(run: Callable[..., None], stage: str, task: str) -> None:
    """Run a stage as one process of several; their parent does what is done once."""
    with launch.reported(stage):
        logging.disable(logging.WARNING)  # the parent has told what there is to the parameters
        declared = params.for_stage(stage, task)
        if not processes.is_main():
            run(declared, task)
            return
        logging.disable(logging.NOTSET)
        with killed.watched(stage, task):
            run(declared, task)


def task_of(stage: str, address: str) -> str | None:
    """The task in the address that DVC gives a stage: `fetch@price`, or `../dvc.yaml:fetch@price`.

    None for the address of another stage, and of one that is not run for each task.
    """
    match = re.fullmatch(rf"(?:.*:)?{stage}@(.*)", address, re.DOTALL)
    return match[1] if match else None


def end_by_signals() -> None:
    """On SIGTERM and SIGHUP end as by an exception, so that temporary files are removed.

    Under DVC also when DVC itself has ended: it does not pass signals on.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` ignores SIGHUP, and may
            signal.signal(number, _end)
    if "DVC_STAGE" in os.environ and (dvc := dvc_above(psutil.Process())):
        threading.Thread(target=_end_with, args=(dvc,), daemon=True).start()


def dvc_above(process: psutil.Process) -> psutil.Process | None:
    """The DVC that runs a process of a stage: the first above it without DVC_STAGE, by any name.

    It is not always the parent, since `sh` may stand between. None if DVC has ended.

    Raises:
        psutil.NoSuchProcess: the process itself has ended.
    """
    for above in process.parents():
        try:
            if "DVC_STAGE" in above.environ():
                continue
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:  # another user's, such as `sudo`: it lives
            pass
        return None if _adopts(above, process) else above
    return None


def _adopts(above: psutil.Process, process: psutil.Process) -> bool:
    """Whether it got an orphan, as init and `systemd --user` do: not DVC, and in another session.

    In a container DVC itself may be PID 1.
    """
    try:
        if any("dvc" in word for word in above.cmdline()):
            return False
        return above.pid == 1 or os.getsid(above.pid) != os.getsid(process.pid)
    except (psutil.AccessDenied, PermissionError):
        return above.pid == 1
    except (psutil.NoSuchProcess, ProcessLookupError):
        return True


def _end_with(dvc: psutil.Process) -> None:
    dvc.wait()
    os.kill(os.getpid(), signal.SIGTERM)


def _end(number: int, _: FrameType | None) -> None:
    # A second one, such as DVC's end after that of its process group, must not cut the end short.
    for other in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    # Not print(): the signal may have come in the midst of one.
    os.write(2, f"finetune: stopped by {signal.Signals(number).name}\n".encode())
    raise SystemExit(128 + number)
