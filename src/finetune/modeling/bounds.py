"""Bounds of time and memory for a little code that is not ours, such as a chat template."""

import contextlib
import resource
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import psutil


class BoundExceededError(Exception):
    """The code took longer than it may, or more memory."""


@contextlib.contextmanager
def bounded(seconds: float, megabytes: int) -> Iterator[None]:
    """Run the block within so many seconds, and so much memory beyond what is taken already.

    Python code alone can be stopped so. In another thread than the main one, where no signal
    arrives, time is not bounded; nor is memory where the system knows no such limit.

    Raises:
        BoundExceededError: it did not.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_memory(megabytes))
        if threading.current_thread() is threading.main_thread():
            stack.enter_context(_time(seconds))
        try:
            yield
        except MemoryError:
            raise BoundExceededError(f"took more than {megabytes} MB") from None


@contextlib.contextmanager
def _time(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise BoundExceededError(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _memory(megabytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = psutil.Process().memory_info().vms + megabytes * 2**20
    known = [each for each in (soft, hard) if each != resource.RLIM_INFINITY]
    try:
        resource.setrlimit(resource.RLIMIT_AS, (min([wanted, *known]), hard))
    except (OSError, ValueError):  # not on macOS
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
