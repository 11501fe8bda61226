"""What the routes share: the models by name, and requests that wait for their answers."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from fastapi import Request

from finetune.serving.batching import Batcher, Job
from finetune.serving.decoding import TextRequest
from finetune.serving.errors import ApiError
from finetune.serving.guard import CLIENT_LEFT
from finetune.serving.limits import Limits
from finetune.serving.metrics import Metrics
from finetune.serving.models import Served

# Seconds between two looks whether a client that waits has left.
LOOK = 0.25

Result = TypeVar("Result")


class Server:
    """What the routes need: the models by name, the queue, limits and metrics."""

    def __init__(
        self,
        models: Mapping[str, Served],
        batcher: Batcher,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        self.models, self.batcher, self.limits, self.metrics = models, batcher, limits, metrics
        self.started = int(time.time())
        # One thread: tokenizers compute without the interpreter's lock, and the queue's thread too.
        self._tokenizing = ThreadPoolExecutor(1, "tokenizing")
        metrics.watch(lambda: batcher.waiting)

    def served(self, name: str) -> Served:
        """The model of this name.

        Raises:
            ApiError: 404 where there is none.
        """
        if name not in self.models:
            known = ", ".join(self.models)
            raise ApiError(
                404, f"no model {name!r:.80}; served: {known}", "model_not_found", "model"
            )
        return self.models[name]

    async def tokenized(self, function: Callable[..., Result], *arguments: object) -> Result:
        """The result of a function that tokenizes, which may take a while."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._tokenizing, function, *arguments)

    async def answers(self, request: Request, jobs: Sequence[Job]) -> list[Any]:
        """The answers to the jobs of a request, which wait for their turn here.

        Raises:
            ApiError: there is no room, it took too long, or the inference failed.
        """
        self.batcher.submit(*jobs)
        futures = [asyncio.wrap_future(job.future) for job in jobs]
        together = asyncio.gather(*futures, return_exceptions=True)
        try:
            await self._until(together, request)
        finally:
            for job in jobs:
                job.future.cancel()
        answers = together.result()
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    async def pieces(
        self, request: Request, work: TextRequest, group: tuple[str, str]
    ) -> tuple[Job, AsyncIterator[str]]:
        """A text that is given out as it comes; begun, so that a status can still say an error."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[str | None] = asyncio.Queue()

        def put(piece: str | None) -> None:
            with contextlib.suppress(RuntimeError):  # the server has stopped without waiting
                loop.call_soon_threadsafe(queue.put_nowait, piece)

        def begun(piece: str) -> None:
            job.has_begun = True
            put(piece)

        job = Job(group, replace(work, on_text=begun))
        job.future.add_done_callback(lambda _: put(None))
        self.batcher.submit(job)
        first = asyncio.ensure_future(queue.get())
        try:
            await self._until(first, request)
        except BaseException:
            job.future.cancel()
            raise
        if first.result() is None:
            job.future.result()  # raises, if it has failed before there was any text

        async def rest() -> AsyncIterator[str]:
            piece = first.result()
            try:
                while piece is not None:
                    yield piece
                    async with asyncio.timeout(job.arrived + self.limits.answer - time.monotonic()):
                        piece = await queue.get()
            except TimeoutError:
                raise self._too_slow() from None
            finally:
                job.future.cancel()

        return job, rest()

    async def _until(self, future: "asyncio.Future[Any]", request: Request) -> None:
        """Wait for something as long as the client does.

        Raises:
            ApiError: the client has left, or it took longer than it may.
        """
        until = time.monotonic() + self.limits.answer
        while True:
            done, _ = await asyncio.wait([future], timeout=LOOK)
            if done:
                return
            if await request.is_disconnected():
                self.metrics.left()
                future.cancel()
                raise ApiError(CLIENT_LEFT, "the client has left")
            if time.monotonic() > until:
                future.cancel()
                raise self._too_slow()

    def _too_slow(self) -> ApiError:
        return ApiError(
            504,
            f"no answer within {self.limits.answer:g} s",
            "timeout",
            retry_after=self.batcher.retry_after,
        )
