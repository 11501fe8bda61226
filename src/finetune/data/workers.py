"""Work on many batches in several processes; the results are those of one, in its order.

`builtin` starts them on this machine. `ray` leaves them to Ray (https://docs.ray.io): without a
cluster they are on this machine too; with `RAY_ADDRESS` set they are on its machines, each of which
needs this repository installed. Batches and results go through the first process, which alone
reads and writes files.
"""

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from finetune.core.errors import UserError
from finetune.core.schema import DataEngine

Batch = TypeVar("Batch")
Result = TypeVar("Result")
# Gives what the work makes of a batch, as soon as it is done.
Waiting = Callable[[], Result]

# Batches that one process has done before others would have started.
FEW = 12
# Batches that wait for each process, so that none waits for the one that reads and writes.
AHEAD = 3
# More processes than these are not kept busy by the one that reads and writes.
MOST = 16
KILLED = "a process that cleans rows was killed; if memory ran out, set run.workers lower"
NOT_INSTALLED = "run.data_engine: ray is not installed; pip install -r requirements-ray.txt"


class Mapped(Protocol):
    """`map` in order, over batches that are made as they are needed."""

    def __call__(
        self, work: Callable[[Batch], Result], batches: Iterable[Batch]
    ) -> Iterator[Result]:
        """What `work` gives for each batch.

        Raises:
            UserError: a process was killed, or there is none to be had.
        """


class Pool(Protocol):
    """Processes to which work is given."""

    workers: int

    def submit(self, work: Callable[[Any], Result], batch: Any) -> Waiting[Result]:
        """Have the work done on a batch."""

    def close(self) -> None:
        """End the processes; what was not begun is not done."""


def count(workers: int | str) -> int:
    """How many processes `run.workers` stands for here: with `auto` one for each core."""
    if isinstance(workers, int):
        return workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(MOST, cores or 1)


@contextlib.contextmanager
def opened(workers: int | str, engine: DataEngine = "builtin") -> Iterator[Mapped]:
    """A `map` over so many processes, which start when there is enough for them to do."""
    alone = engine == "builtin" and count(workers) == 1
    with contextlib.ExitStack() as held:
        pool: Pool | None = None

        def mapped(work: Callable[[Batch], Result], batches: Iterable[Batch]) -> Iterator[Result]:
            nonlocal pool
            batches = iter(batches)
            first = list(itertools.islice(batches, FEW))
            if alone or (pool is None and len(first) < FEW):
                yield from map(work, itertools.chain(first, batches))
                return
            if pool is None:
                pool = ENGINES[engine](workers)
                held.callback(pool.close)
            waiting: deque[Waiting[Result]] = deque()
            for batch in itertools.chain(first, batches):
                waiting.append(pool.submit(work, batch))
                if len(waiting) > AHEAD * pool.workers:
                    yield waiting.popleft()()
            while waiting:
                yield waiting.popleft()()

        yield mapped


class BuiltinPool:
    """Processes of this machine."""

    def __init__(self, workers: int | str) -> None:
        """Start them."""
        self.workers = count(workers)
        # Not forked: this process may have threads, such as the one that waits for the end of DVC.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_start)

    def submit(self, work: Callable[[Any], Result], batch: Any) -> Waiting[Result]:
        """Have the work done on a batch."""
        with _in_one_line():
            future = self._pool.submit(work, batch)

        def result() -> Result:
            with _in_one_line():
                return future.result()

        return result

    def close(self) -> None:
        """End the processes; what was not begun is not done."""
        self._pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise UserError(KILLED) from None


def _start() -> None:
    """In a new process: leave Ctrl-C to the first one, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


class RayPool:
    """Processes of a Ray cluster, or of one that is started here and ends with this process."""

    def __init__(self, workers: int | str) -> None:
        """Connect to the cluster at `RAY_ADDRESS`, or start one here.

        Raises:
            UserError: Ray is not installed, or its cluster cannot be reached.
        """
        try:
            import ray
        except ModuleNotFoundError:
            raise UserError(NOT_INSTALLED) from None
        self._ray = ray
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if not os.environ.get("RAY_ADDRESS"):
            options |= {"num_cpus": count(workers), "include_dashboard": False}
        try:
            ray.init(**options)
        except Exception as error:  # of many kinds: it starts servers
            raise UserError(f"run.data_engine: ray: {' '.join(str(error).split())}") from error
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self.workers = min(cores, workers) if isinstance(workers, int) else cores
        self._done = ray.remote(_done)
        self._work: tuple[Any, Any] = (None, None)

    def submit(self, work: Callable[[Any], Result], batch: Any) -> Waiting[Result]:
        """Have the work done on a batch."""
        if self._work[0] is not work:  # sent once, not with each batch
            self._work = (work, self._ray.put(work))
        reference = self._done.remote(self._work[1], batch)

        def result() -> Result:
            try:
                value: Result = self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except self._ray.exceptions.RayError as error:
                raise UserError(f"{KILLED} (ray: {' '.join(str(error).split()):.200})") from error
            return value

        return result

    def close(self) -> None:
        """End the processes that were started here; leave a cluster."""
        self._ray.shutdown()


def _done(work: Callable[[Any], Result], batch: Any) -> Result:
    return work(batch)


ENGINES: dict[DataEngine, Callable[[int | str], Pool]] = {"builtin": BuiltinPool, "ray": RayPool}
