"""Work on many batches in several processes; the results are those of one, in its order."""

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Protocol, TypeVar

Batch = TypeVar("Batch")
Result = TypeVar("Result")

# Batches that one process has done before others would have started.
FEW = 12
# Batches that wait for each process, so that none waits for the one that reads and writes.
AHEAD = 3
# More processes than these are not kept busy by the one that reads and writes.
MOST = 16


class Mapped(Protocol):
    """`map` in order, over batches that are made as they are needed."""

    def __call__(
        self, work: Callable[[Batch], Result], batches: Iterable[Batch]
    ) -> Iterator[Result]:
        """What `work` gives for each batch."""


def count(workers: int | str) -> int:
    """How many processes `run.workers` stands for: with `auto` one for each core."""
    if isinstance(workers, int):
        return workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(MOST, cores or 1)


@contextlib.contextmanager
def opened(workers: int) -> Iterator[Mapped]:
    """A `map` over so many processes, which start when there is enough for them to do."""
    with contextlib.ExitStack() as held:
        pool: ProcessPoolExecutor | None = None

        def mapped(work: Callable[[Batch], Result], batches: Iterable[Batch]) -> Iterator[Result]:
            nonlocal pool
            batches = iter(batches)
            first = list(itertools.islice(batches, FEW))
            if workers == 1 or (pool is None and len(first) < FEW):
                yield from map(work, itertools.chain(first, batches))
                return
            if pool is None:
                pool = _pool(workers)
                held.callback(pool.shutdown, cancel_futures=True)
            waiting: deque[Future[Result]] = deque()
            for batch in itertools.chain(first, batches):
                waiting.append(pool.submit(work, batch))
                if len(waiting) > AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

        yield mapped


def _pool(workers: int) -> ProcessPoolExecutor:
    # Not forked: this process may have threads, such as the one that waits for the end of DVC.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start)


def _start() -> None:
    """In a new process: leave Ctrl-C to the first one, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
