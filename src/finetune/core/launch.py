"""Several processes of one stage (`run.processes`), started by `accelerate launch`.

The stage's own process waits for them. It passes a signal on to rank 0, which saves and ends; when
one rank ends otherwise than well, accelerate's launcher ends the others, and one line says which.
"""

import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

import psutil

from finetune.core import killed, processes
from finetune.core.errors import EXIT_CODE, INTERRUPTED, MEMORY_KEYS, UserError, explained
from finetune.core.interrupts import SIGNALS, Interruption
from finetune.core.schema import Run

# What another launcher than this one sets.
WORLD_SIZE = "WORLD_SIZE"
# The exit code where a rank was killed, or has a bug.
RANK_DIED = 1
# What tells least about why a run ended, the least last. The launcher itself sends SIGTERM to the
# ranks that are left when one has ended, and SIGKILL half a minute later.
LESS_TELLING = (-signal.SIGKILL, processes.LOST, -signal.SIGTERM)


def check_launcher() -> None:
    """See that no other launcher started this process.

    Raises:
        UserError: one such as torchrun did.
    """
    if int(os.environ.get(WORLD_SIZE) or 1) > 1:
        raise UserError(
            "WORLD_SIZE is above 1: start a run without torchrun or accelerate launch; "
            "run.processes: N starts its processes, one on each GPU"
        )


def is_needed(run: Run) -> bool:
    """Whether this process is to start others that do its stage's work.

    Raises:
        UserError: another launcher started this process, or `run.accelerate` asks for what was
            never run.
    """
    check_launcher()
    if run.accelerate is not None:
        raise UserError(
            f"run.accelerate: nobody has run conf/accelerate/{run.accelerate}.yaml yet, so it is "
            "refused; set it to null, which with run.processes splits each step's rows over GPUs "
            "that hold the whole model each"
        )
    return run.processes > 1 and processes.REPORTS not in os.environ


def launch(stage: str, task: str, count: int, who: str) -> None:
    """Run a stage in so many processes; `who` is the prefix of what is printed.

    Raises:
        UserError: what a rank found wrong that the user can fix.
        Interrupted: Ctrl-C, after rank 0 saved.
        SystemExit: another signal, after rank 0 saved; or a rank ended otherwise than well, of
            which a line was printed.
    """
    gpus = _gpus(count)
    # Of torch.distributed's launcher: that a rank failed, which is said here.
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, _environment(folder, gpus, count):
        reports = Path(folder)
        with _passed_on() as interruption:
            exit_codes = _run(
                ["finetune.core.rank", f"finetune.stages.{stage}", task], count, bool(gpus)
            )
        if exit_codes and _most_telling(exit_codes)[1] >= 0:
            killed.forget(stage, task)
        if exit_codes or interruption.number is not None:
            _end(exit_codes, reports, interruption, stage, who)


def _gpus(count: int) -> list[str]:
    """The GPUs of the ranks, as CUDA_VISIBLE_DEVICES names them; none on a CPU.

    Raises:
        UserError: there are fewer than ranks.
    """
    import torch

    if not torch.cuda.is_available():
        return []
    visible = torch.cuda.device_count()
    if count > visible:
        raise UserError(
            f"run.processes: is {count}, and {visible} GPU{'s are' if visible != 1 else ' is'} to "
            f"be seen: set it to {visible} or less"
        )
    named = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(visible)))
    return [name.strip() for name in named.split(",")][:count]


@contextlib.contextmanager
def _environment(folder: str, gpus: list[str], count: int) -> Iterator[None]:
    """Environment variables of the ranks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = str(max(1, (cores or 1) // count))
    new = {processes.REPORTS: folder, processes.GPUS: ",".join(gpus)}
    new |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads)}
    before = {name: os.environ.get(name) for name in new}
    os.environ.update(new)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _run(command: list[str], count: int, on_gpus: bool) -> dict[int, int]:
    """Run a module by `accelerate launch`; the exit codes of the ranks that did not end well.

    A negative one is the signal that ended the rank. Of accelerate's own defaults, which a user may
    have set for other projects, none are read.
    """
    from accelerate.commands.launch import launch_command_parser, multi_gpu_launcher
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    arguments = [
        # That of processes on CPUs too: accelerate's own for these needs MPI.
        "--multi_gpu",
        f"--num_processes={count}",
        "--num_machines=1",
        "--main_process_port=0",  # one that is free
        f"--num_cpu_threads_per_process={os.environ['OMP_NUM_THREADS']}",
        "--mixed_precision=no",
        "--dynamo_backend=no",
        "--module",
        *command,
    ]
    if not on_gpus:
        os.environ["ACCELERATE_USE_CPU"] = "true"
    try:
        parsed = launch_command_parser().parse_args(arguments)
        parsed.signals_to_handle = "SIGQUIT"  # the others are passed on by `_passed_on`
        multi_gpu_launcher(parsed)
    except ChildFailedError as error:
        return {rank: failure.exitcode for rank, failure in error.failures.items()}
    finally:
        os.environ.pop("ACCELERATE_USE_CPU", None)
    return {}


@contextlib.contextmanager
def _passed_on() -> Iterator[Interruption]:
    """In this block the first signal goes to rank 0, which saves and ends.

    A second Ctrl-C ends all ranks at once.
    """
    interruption = Interruption()

    def note(number: int, _: FrameType | None) -> None:
        children = psutil.Process().children()
        if interruption.number is not None:
            if number == signal.SIGINT:
                _signal(children, signal.SIGKILL)
            return
        interruption.number = number
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        # Not print(): the signal may have come in the midst of one.
        message = f"finetune: {name}: what can be saved is saved; Ctrl-C again ends at once\n"
        os.write(2, message.encode())
        _signal([child for child in children if _is_main(child)] or children, signal.SIGINT)

    before = {}
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` ignores SIGHUP, and may
            before[number] = signal.signal(number, note)
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_main(child: psutil.Process) -> bool:
    try:
        return child.environ().get("RANK") == "0"
    except psutil.Error:
        return False


def _signal(children: list[psutil.Process], number: int) -> None:
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.send_signal(number)


@contextlib.contextmanager
def reported(stage: str) -> Iterator[None]:
    """In a rank: leave what its parent is to tell the user in a file, and end.

    An exception that is a bug of this code propagates, as in `errors.one_line`.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        processes.report(str(interrupt))
        sys.exit(INTERRUPTED)
    except Exception as error:
        message = explained(error, stage)
        if message is None:
            raise
        processes.report(message)
        sys.exit(EXIT_CODE)


def _end(
    exit_codes: Mapping[int, int], reports: Path, interruption: Interruption, stage: str, who: str
) -> None:
    """End as the ranks did: see `launch`."""
    if not exit_codes:  # a signal that came before there was a rank to be told of it
        interruption.end("the same command runs it again")
    rank, code = _most_telling(exit_codes)
    file = reports / str(rank)
    message = file.read_text(encoding="utf-8") if file.is_file() else ""
    if code == EXIT_CODE and message:
        raise UserError(message if rank == 0 else f"rank {rank}: {message}")
    if interruption.number is not None:
        saved = message if code != processes.LOST else ""
        interruption.end(saved or "the same command runs it again")
    print(f"{who}: {_how(rank, code, stage, message)}", file=sys.stderr)
    sys.exit(RANK_DIED)


def _most_telling(exit_codes: Mapping[int, int]) -> tuple[int, int]:
    """The rank and the exit code that say most of why the run ended."""

    def order(ended: tuple[int, int]) -> tuple[int, int]:
        rank, code = ended
        return 1 + LESS_TELLING.index(code) if code in LESS_TELLING else 0, rank

    return min(exit_codes.items(), key=order)


def _how(rank: int, code: int, stage: str, message: str) -> str:
    others = "the others were ended, and the same command resumes from what was saved"
    if code < 0:
        name = signal.Signals(-code).name
        keys = MEMORY_KEYS.get(stage, "run.memory_gb")
        memory = f"; if memory ran out, set run.processes lower, or {keys}"
        why = memory if -code == signal.SIGKILL else ""
        return f"rank {rank} was killed by {name}: {others}{why}"
    if code == processes.LOST:
        return f"rank {rank} cannot reach the others ({message or 'no more is known'}): {others}"
    return f"rank {rank} ended with exit code {code}, what it said is above: {others}"
