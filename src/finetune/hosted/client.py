"""Requests to an API in OpenAI's shapes, tried again where that may help.

Plain HTTP in place of OpenAI's package: that one repeats the creation of a job that timed out, and
a job that is created twice is paid twice (see `hosted.jobs`).
"""

import math
import os
import random
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx2

from finetune.core.errors import ParamsError, UserError, squeezed
from finetune.core.schema import Api, HostedRun

# Seconds: the first wait before another try, doubled each time, the longest of these, and the
# longest that a provider may ask for: one that asks for more is not waited for.
FIRST_WAIT, LONGEST_WAIT, LONGEST_ASKED = 0.5, 60.0, 900.0
# Of HTTP: too many requests, and what a provider's servers say when they are at fault.
TOO_MANY = 429
TEMPORARY = frozenset({408, 409, TOO_MANY, 500, 502, 503, 504, 520, 522, 524, 529})
# A 429 that no waiting helps against.
OUT_OF_FUNDS = "insufficient_quota"
UPLOAD_SECONDS = 600.0
Json = dict[str, Any]


class ApiError(UserError):
    """The provider refused a request; `status` is of HTTP, `code` the provider's own."""

    def __init__(self, message: str, status: int, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Unreachable(UserError):
    """A request was not answered, or only with errors that pass: whether it was done is unknown."""


class Closed(Exception):
    """The client was stopped: the stage is ending."""


class Client:
    """A provider's API. `requests` and `retries` count what was sent; threads may share it."""

    def __init__(self, api: Api, options: HostedRun) -> None:
        """Read the key.

        Raises:
            ParamsError: the environment has none.
        """
        key = os.environ.get(api.key_variable, "").strip()
        if not key:
            raise ParamsError(
                f"model.api.key_variable: the environment variable {api.key_variable} is not set; "
                f"export it with your key for {api.host}"
            )
        if not (key.isascii() and key.isprintable()):
            raise ParamsError(f"model.api.key_variable: {api.key_variable} holds no key")
        self.host, self.requests, self.retries = api.host, 0, 0
        self.max_retries = options.max_retries
        self._key, self._options, self._variable = key, options, api.key_variable
        self._closed, self._lock = threading.Event(), threading.Lock()
        self._random = random.Random()  # not the global one: seeds of a run stay as they are
        self._http = httpx2.Client(
            base_url=f"{api.base_url}/",
            headers={"Authorization": f"Bearer {key}"},
            timeout=options.timeout_seconds,
            limits=httpx2.Limits(max_connections=options.concurrency + 2),
            trust_env=not api.is_local,  # proxies
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def stop(self) -> None:
        """End all waits, also those of other threads, and send nothing more.

        Requests that were sent are answered still: they are paid.
        """
        self._closed.set()

    def close(self) -> None:
        """Stop, and drop the connections."""
        self.stop()
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Json:
        """A GET request's JSON; for this and the following: see `_send` for what is raised."""
        return self._repeated("GET", path, params=params)

    def chat(self, body: Json) -> Json:
        """The response to a chat, with a choice at least.

        Some providers report an error with HTTP's status of success; that is no empty answer.
        """
        return self._repeated("POST", "chat/completions", needed="choices", json=body)

    def post_once(self, path: str, body: Json) -> Json:
        """A POST request's JSON, sent a single time."""
        return self._send("POST", path, json=body)

    def upload(self, name: str, content: bytes, purpose: str) -> Json:
        """A file as the provider holds it."""
        return self._repeated(
            "POST",
            "files",
            data={"purpose": purpose},
            files={"file": (name, content, "application/jsonl")},
            timeout=max(UPLOAD_SECONDS, self._options.timeout_seconds),
        )

    def wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            Closed: the client was closed meanwhile.
        """
        if self._closed.wait(seconds):
            raise Closed

    def backoff(self, attempt: int, asked: float | None = None) -> None:
        """Wait before another try; `asked` are the seconds that the provider asked for."""
        doubled = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
        # Spread, or requests that were refused together come again together.
        spread = doubled * self._random.uniform(0.5, 1.0)
        self.wait(spread if asked is None else asked + spread)

    def _repeated(self, method: str, path: str, **options: Any) -> Json:
        for attempt in range(self._options.max_retries + 1):
            try:
                return self._send(method, path, **options)
            except _Temporary as error:
                if attempt == self._options.max_retries:
                    raise Unreachable(
                        f"{self.host}: {error} (tried {attempt + 1} times; run.hosted.max_retries)"
                    ) from None
                if (error.wait or 0.0) > LONGEST_ASKED:
                    raise Unreachable(
                        f"{self.host}: {error}; it asks to wait {error.wait:.0f} seconds: run the "
                        "same command again then"
                    ) from None
                with self._lock:
                    self.retries += 1
                self.backoff(attempt, error.wait)
        raise AssertionError("unreachable")

    def _send(self, method: str, path: str, needed: str | None = None, **options: Any) -> Json:
        """The JSON of a response; with `needed` one in which that is not empty.

        Raises:
            ApiError: the request was refused, and would be again.
            Unreachable: it may be answered another time.
            Closed: the client was closed.
        """
        if self._closed.is_set():
            raise Closed
        with self._lock:
            self.requests += 1
        try:
            response = self._http.request(method, path, **options)
        except (httpx2.HTTPError, RuntimeError) as error:
            if self._closed.is_set():
                raise Closed from None
            if not isinstance(error, httpx2.HTTPError):
                raise
            kind = "no answer in time" if isinstance(error, httpx2.TimeoutException) else ""
            raise _Temporary(self._safe(kind or f"{type(error).__name__}: {error}")) from None
        if response.is_success:
            try:
                answer = response.json()
            except ValueError:
                raise _Temporary("an answer that is no JSON") from None
            if not isinstance(answer, dict):
                raise _Temporary("an answer that is no JSON object")
            if needed and not answer.get(needed):
                message, _ = _explained(response)
                raise _Temporary(self._safe(f"an answer without {needed}, {message}"))
            return answer
        raise self._error(response)

    def _error(self, response: httpx2.Response) -> UserError:
        status, (message, code) = response.status_code, _explained(response)
        if status in (401, 403):
            # Nothing of the response: some providers repeat the key, or a part of it.
            return ApiError(
                f"{self.host} refuses the key in {self._variable}, or what it may do (HTTP "
                f"{status}); see the provider's page of keys",
                status,
            )
        said = self._safe(f"HTTP {status}{f', {message}' if message else ''}")
        if status in TEMPORARY and code != OUT_OF_FUNDS:
            return _Temporary(said, _seconds(response.headers.get("retry-after")))
        return ApiError(f"{self.host}: {said}", status, code)

    def _safe(self, text: str) -> str:
        """A text without the key."""
        return squeezed(text.replace(self._key, "…"))


class _Temporary(Unreachable):
    """An error that may pass; `wait` are the seconds that the provider asks to wait."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def _seconds(header: str | None) -> float | None:
    """The seconds of a header `Retry-After`, which may hold a date; None without one."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _explained(response: httpx2.Response) -> tuple[str, str | None]:
    """An error's message and code, as OpenAI's shape has them or as the text says."""
    try:
        error = response.json()["error"]
        code = error.get("code") or error.get("type")
        return str(error["message"]), None if code is None else str(code)
    except (ValueError, KeyError, TypeError, AttributeError):
        # In full: of a key that is cut short the rest would not be known for one.
        return response.text, None
