"""What stands before the routes: keys, the size of bodies, and the count of what is answered."""

import asyncio
import contextlib
import ipaddress
import json
import logging
import time
from collections.abc import Collection
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finetune.serving.errors import ApiError
from finetune.serving.keys import Keys
from finetune.serving.limits import Limits
from finetune.serving.metrics import OTHER, Metrics

log = logging.getLogger(__name__)
# Open to all: health, and the page, which holds nothing of the data and asks with a key.
OPEN = ("/", "/healthz", "/readyz")
# Seconds in which a body that is too large is read and dropped.
LINGER = 1.0
# nginx's status of a client that closed the connection: nobody reads it, the metrics count it.
CLIENT_LEFT = 499


def is_loopback(host: str) -> bool:
    """Whether a name or an address is of this machine alone."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


def without_port(host: str) -> str:
    """The name or the address of a header `Host`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


class Guard:
    """An ASGI application around another one."""

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys | None,
        limits: Limits,
        metrics: Metrics,
        paths: Collection[str],
        any_host: bool = False,
    ) -> None:
        """Without `keys` only requests to a loopback address's name are answered.

        Else a page of another site could have its name resolve to this machine, and ask from the
        browser of whoever runs the server. With `any_host` they are answered all the same.
        """
        self._app, self._keys, self._limits, self._any_host = app, keys, limits, any_host
        self._metrics, self._paths = metrics, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), CLIENT_LEFT

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, receive, counted)
        except ApiError as error:
            await _send(error, counted, receive)
        except ConnectionError:
            self._metrics.left()
        except Exception:  # a bug: the client gets a status, the log the traceback
            log.exception("%s %s failed", scope["method"], scope["path"])
            if status == CLIENT_LEFT:
                await _send(ApiError(500, "the server failed", "internal_error"), counted, receive)
        finally:
            path = scope["path"] if scope["path"] in self._paths else OTHER
            self._metrics.request(path, status, time.monotonic() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        self._check_key(scope["path"], headers)
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if scope["method"] == "POST" and (
            kind != b"application/json" or b"content-encoding" in headers
        ):
            raise ApiError(415, "send JSON, not compressed, as Content-Type: application/json")
        body = await self._body(headers, receive)
        await self._app(scope, _replayed(body, receive), send)

    def _check_key(self, path: str, headers: dict[bytes, bytes]) -> None:
        if self._keys is None:
            host = without_port(headers.get(b"host", b"").decode("latin-1"))
            if not (is_loopback(host) or self._any_host):
                raise ApiError(
                    403, "without API keys only requests to localhost are answered", "wrong_host"
                )
            return
        if path in OPEN:
            return
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not key.strip():
            message = "no API key: send the header Authorization: Bearer KEY"
            raise ApiError(401, message, "missing_api_key")
        if self._keys.name_of(key.strip()) is None:
            raise ApiError(401, "this is none of the server's API keys", "invalid_api_key")

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The whole body of a request.

        Raises:
            ApiError: it is too large, or does not arrive in time.
            ConnectionError: the client has left.
        """
        limit = self._limits.body_bytes
        too_large = ApiError(413, f"the body may have {limit} bytes", "body_too_large")
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > limit:
            raise too_large
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._limits.read):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ConnectionError
                    part: bytes = message.get("body", b"")
                    parts.append(part)
                    size += len(part)
                    if size > limit:
                        raise too_large
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            seconds = self._limits.read
            raise ApiError(408, f"the body did not arrive within {seconds:g} s", "slow") from None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body first, then what is still to come: that the client leaves."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _send(error: ApiError, send: Send, receive: Receive) -> None:
    content = json.dumps(error.body).encode()
    headers: dict[str, Any] = {
        **error.headers,
        "content-type": "application/json",
        "content-length": str(len(content)),
    }
    if error.status in (408, 413):  # the rest of the body is not read
        headers["connection"] = "close"
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": pairs})
    await send({"type": "http.response.body", "body": content, "more_body": True})
    if error.status == 413:
        await _drop_body(receive)
    await send({"type": "http.response.body"})


async def _drop_body(receive: Receive) -> None:
    """Read on for a while.

    Closing over what was not read would reset the connection, and the client see no answer.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while (await receive()).get("more_body"):
                pass
