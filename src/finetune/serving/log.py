"""`finetune serve --log FILE`: a line of JSON for each request to a model (docs/monitoring.md).

A request never waits for the disk: lines go through a queue to a thread of their own. What does
not fit into the queue, or cannot be written, is dropped and counted, and a later line says how many
were lost. The file is opened again where something else has moved or removed it, as rotation does.
"""

import contextlib
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finetune.core.errors import UserError
from finetune.serving import purpose
from finetune.serving.decoding import Completion
from finetune.serving.models import Served

logger = logging.getLogger(__name__)
# Lines that may wait for the disk: a few MB without texts.
WAITING = 10_000
# Between two complaints on stderr about a file that cannot be written.
QUIET_SECONDS = 60.0
STOP_SECONDS = 5.0
# Where a request's scope has what is noted of it.
NOTES = "finetune.log"
# The status of a request that a model cannot answer, such as a prompt that does not fit.
REFUSED = 400


class RequestLog:
    """The file and its thread; `with_text` says that inputs and answers are logged too."""

    def __init__(self, file: Path, with_text: bool = False, waiting: int = WAITING) -> None:
        """Open the file.

        Raises:
            UserError: it cannot be written.
        """
        self.with_text = with_text
        self._file = file
        try:
            self._descriptor: int | None = self._opened()
        except OSError as error:
            raise UserError(f"--log {file}: cannot be written: {error.strerror}") from error
        self._queue: queue.Queue[bytes | None] = queue.Queue(waiting)
        self._lost, self._counting = 0, threading.Lock()
        # A line that was written in part is ended before the next one.
        self._is_broken = False
        self._complained = -QUIET_SECONDS
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, entry: dict[str, Any]) -> None:
        """Log an entry, some time soon; at once back."""
        line = json.dumps(entry, ensure_ascii=False).encode(errors="replace") + b"\n"
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._lose(1)

    def close(self) -> None:
        """Write what waits, unless the disk takes too long for that."""
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=STOP_SECONDS)
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive() or self._lost:
            logger.warning("finetune serve: --log %s: its last lines are lost", self._file)

    def _lose(self, count: int) -> None:
        with self._counting:
            self._lost += count

    def _run(self) -> None:
        is_last = False
        while not is_last:
            waiting = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while waiting[-1] is not None and len(waiting) < self._queue.maxsize:
                    waiting.append(self._queue.get_nowait())
            is_last = waiting[-1] is None
            self._write([line for line in waiting if line is not None])

    def _write(self, lines: Sequence[bytes]) -> None:
        with self._counting:
            lost, self._lost = self._lost, 0
        head = b"\n" if self._is_broken else b""
        if lost:
            head += json.dumps({"time": now(), "lost": lost}).encode() + b"\n"
        data, done = head + b"".join(lines), 0
        if not (lines or lost):
            return
        try:
            self._reopen()
            assert self._descriptor is not None
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
            self._is_broken = False
        except OSError as error:
            if done:
                self._is_broken = data[done - 1 : done] != b"\n"
            written = data[len(head) : max(done, len(head))].count(b"\n")
            self._lose(len(lines) - written + (0 if done >= len(head) else lost))
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        if time.monotonic() - self._complained >= QUIET_SECONDS:
            self._complained = time.monotonic()
            logger.warning(
                "finetune serve: --log %s: cannot be written (%s); requests are answered, and "
                "their lines counted as lost", self._file, error.strerror,
            )  # fmt: skip

    def _opened(self) -> int:
        # A log may hold texts: it is its owner's alone.
        return os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _reopen(self) -> None:
        """Open the file again if another one, or none, has its name."""
        if self._descriptor is not None:
            try:
                here = self._file.stat()
            except FileNotFoundError:
                here = None
            opened = os.fstat(self._descriptor)
            if here and (here.st_dev, here.st_ino) == (opened.st_dev, opened.st_ino):
                return
            os.close(self._descriptor)
            self._descriptor, self._is_broken = None, False
        self._descriptor = self._opened()


def now() -> str:
    """The time as lines have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Logged:
    """An ASGI application around another one, of whose requests to models it logs a line each."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app, self._log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, then log it; one that no model was found for is not logged."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        notes: dict[str, Any] = {}
        scope[NOTES] = notes
        entry: dict[str, Any] = {"time": now(), "path": scope["path"], **_purpose(scope)}
        started = time.monotonic()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            elif message.get("more_body") and "first_seconds" not in entry:  # of a stream
                entry["first_seconds"] = round(time.monotonic() - started, 4)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if "model" in notes:
                entry["seconds"] = round(time.monotonic() - started, 4)
                self._log.put(self._entry({**entry, **notes}))

    def _entry(self, entry: dict[str, Any]) -> dict[str, Any]:
        entry["refused"] = entry.get("status") == REFUSED
        if not self._log.with_text:
            for key in ("input", "output"):
                entry.pop(key, None)
        return entry


def _purpose(scope: Scope) -> dict[str, str]:
    """What a request is for, if it is no user's."""
    sent = dict(scope["headers"]).get(purpose.HEADER.lower().encode(), b"").decode("latin-1")
    return {"purpose": sent} if sent in purpose.KNOWN else {}


def of_input(request: Request, served: Served, text: Callable[[], str]) -> None:
    """Note what a model is asked, before it is known whether it will answer."""
    if NOTES in request.scope:
        asked = text()
        _note(request, model=served.name, task=served.task, input_chars=len(asked), input=asked)


def of_tokens(request: Request, prompt_tokens: int, truncated: bool) -> None:
    """Note the size of a prompt as the model reads it."""
    _note(request, prompt_tokens=prompt_tokens, truncated=truncated)


def of_texts(request: Request, completions: Sequence[Completion]) -> None:
    """Note the texts of a chat or of continued prompts."""
    texts = [completion.text for completion in completions]
    _note(
        request,
        completion_tokens=sum(completion.num_tokens for completion in completions),
        answers=len(completions),
        capped=any(completion.hit_length_cap for completion in completions),
        **_output("\n".join(texts), empty=not all(texts)),
    )


def of_answer(request: Request, prediction: object, fields: dict[str, Any]) -> None:
    """Note a typed answer: of a text its length, and a number as it is."""
    noted: dict[str, Any] = {"answers": 1, "truncated": fields["prompt_truncated"]}
    if isinstance(prediction, str):
        noted |= _output(prediction, empty=not prediction)
        noted["capped"] = bool(fields.get("hit_length_cap"))
    else:
        noted |= {"prediction": prediction, "empty": prediction is None}
    _note(request, **noted)


def of_error(request: Request, code: str | None) -> None:
    """Note the code of an error."""
    _note(request, code=code)


def _output(text: str, empty: bool) -> dict[str, Any]:
    return {"output_chars": len(text), "empty": empty, "output": text}


def _note(request: Request, **fields: object) -> None:
    notes = request.scope.get(NOTES)
    if notes is not None:
        notes.update(fields)
