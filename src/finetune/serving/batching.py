"""A queue in front of the inference: requests that arrive together are answered together.

One thread computes. It takes the request that waits longest and all that wait for the same model in
the same form, up to a batch; what arrives meanwhile is the next batch.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any, Protocol

from finetune.core.errors import explained
from finetune.serving.errors import ApiError
from finetune.serving.limits import Limits

log = logging.getLogger(__name__)
# Weight of the last batch in the running mean of seconds a request.
SMOOTHING = 0.2


@dataclass(eq=False)
class Job:
    """A request in the queue: requests of one `group` may share a batch.

    Who waits for the `future` may cancel it: the client has left, and nothing more is computed.
    `has_begun` says that a part of the answer was given out: it cannot be computed anew.
    """

    group: Hashable
    work: Any
    future: "Future[Any]" = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)
    has_begun: bool = False

    @property
    def is_left(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.future.cancelled()

    def answer(self, result: object) -> None:
        """Give the answer to who waits for it, if anybody does."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_result(result)

    def fail(self, error: BaseException) -> None:
        """Give an error instead."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


class Observer(Protocol):
    """Who is told what the queue does, for `/metrics`."""

    def batch(self, rows: int, seconds: float) -> None:
        """A batch was computed."""

    def waited(self, seconds: float) -> None:
        """A request has left the queue for a batch."""


# Computes a batch of jobs of one group, and answers each.
Compute = Callable[[Hashable, Sequence[Job]], None]


class Batcher:
    """The queue and its thread."""

    def __init__(self, compute: Compute, limits: Limits, observer: Observer | None = None) -> None:
        self._compute, self._limits, self._observer = compute, limits, observer
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._seconds_per_job = 0.1
        self._in_batch = 0
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)

    def start(self) -> None:
        """Begin to compute."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread computes, or would."""
        return self._thread.is_alive()

    @property
    def is_accepting(self) -> bool:
        """Whether a request would be taken, if there is room."""
        return self.is_alive and not self._stopping

    @property
    def waiting(self) -> int:
        """How many requests wait whose clients do too."""
        return sum(not job.is_left for job in tuple(self._queue))

    @property
    def retry_after(self) -> float:
        """About how many seconds the queue takes at the rate of the last batches."""
        return (len(self._queue) + self._in_batch) * self._seconds_per_job

    def submit(self, *jobs: Job) -> None:
        """Let the jobs of one request wait for their turn: all of them, or none.

        Raises:
            ApiError: 429 if so many wait that there is no room, 503 if the server stops.
        """
        with self._changed:
            if not self.is_accepting:
                raise ApiError(503, "the server is stopping", "stopping", retry_after=5)
            if len(self._queue) + len(jobs) > self._limits.queue:
                # Of clients that left nothing is computed: they take no room either.
                self._queue = deque(job for job in self._queue if not job.is_left)
            if len(self._queue) + len(jobs) > self._limits.queue:
                raise ApiError(
                    429,
                    f"{len(self._queue)} requests wait, and {self._limits.queue} may: try again "
                    "later",
                    "overloaded",
                    retry_after=self.retry_after,
                )
            self._queue.extend(jobs)
            self._changed.notify()

    def stop(self, seconds: float) -> None:
        """Take no further request, answer those that wait, and end the thread.

        What is not answered after so many seconds gets status 503.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(seconds)
        with self._changed:
            left, self._queue = self._queue, deque()
        for job in left:
            job.fail(ApiError(503, "the server has stopped", "stopping", retry_after=5))

    def _run(self) -> None:
        while True:
            batch = self._next()
            if batch is None:
                return
            if not batch:
                continue
            started = time.monotonic()
            if self._observer:
                for job in batch:
                    self._observer.waited(started - job.arrived)
            self._in_batch = len(batch)
            self._answer(batch)
            self._in_batch = 0
            seconds = time.monotonic() - started
            self._seconds_per_job += SMOOTHING * (seconds / len(batch) - self._seconds_per_job)
            if self._observer:
                self._observer.batch(len(batch), seconds)

    def _next(self) -> list[Job] | None:
        """The next batch, which may be empty; None at the end."""
        with self._changed:
            while not self._queue:
                if self._stopping:
                    return None
                self._changed.wait()
            until = self._queue[0].arrived + self._limits.window
            while not self._stopping and self._num_alike() < self._limits.batch:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return self._taken()

    def _num_alike(self) -> int:
        group = self._queue[0].group
        return sum(job.group == group for job in self._queue)

    def _taken(self) -> list[Job]:
        """Take those of the first one's group, and drop whose client left or that are too late."""
        latest = time.monotonic() - self._limits.wait
        batch: list[Job] = []
        rest: deque[Job] = deque()
        for job in self._queue:
            if job.is_left:
                continue
            if job.arrived < latest:
                message = f"waited {self._limits.wait:g} s for its turn: try again later"
                retry = self.retry_after
                job.fail(ApiError(503, message, "waited_too_long", retry_after=retry))
            elif len(batch) < self._limits.batch and (not batch or job.group == batch[0].group):
                batch.append(job)
            else:
                rest.append(job)
        self._queue = rest
        return batch

    def _answer(self, batch: Sequence[Job]) -> None:
        """Compute a batch; where that fails, each job alone: one must not fail the others."""
        try:
            self._compute(batch[0].group, batch)
        except Exception as error:
            if len(batch) > 1:
                for job in batch:
                    if job.has_begun:
                        job.fail(_failure(error))
                    elif not job.future.done():
                        self._answer([job])
                return
            batch[0].fail(_failure(error))
        for job in batch:
            if not job.future.done():
                job.fail(ApiError(500, "the inference gave no answer", "inference_failed"))


def _failure(error: Exception) -> ApiError:
    """What a client is told of an error: a line, if it is none of our own; the log has it all."""
    message = explained(error)
    if message is None:
        log.error("a request failed", exc_info=error)
    return ApiError(500, message or "the inference failed", "inference_failed")
