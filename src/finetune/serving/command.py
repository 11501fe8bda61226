"""`finetune serve`: load the models, then answer until told to stop."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from finetune.core import params
from finetune.core.errors import UserError
from finetune.serving import app, keys, models
from finetune.serving.answering import TEXT, TYPED, Answering
from finetune.serving.batching import Batcher, Job
from finetune.serving.decoding import TextRequest
from finetune.serving.errors import ApiError
from finetune.serving.guard import is_loopback
from finetune.serving.keys import Keys
from finetune.serving.limits import Limits
from finetune.serving.log import RequestLog
from finetune.serving.metrics import Metrics
from finetune.serving.models import Served
from finetune.serving.server import Server

KEYS = Path("serving_keys.json")
# Connections at once, beyond which uvicorn itself answers with 503: far more than requests may
# wait, since those that are refused have to be read first. Each is a file that is open.
CONNECTIONS = 4096
OTHER_FILES = 100


@dataclass(frozen=True)
class Options:
    """The command line.

    adapters: further models, NAME=TASK:DIR; keys: a file of keys, None for the default one where
    that is there; no_keys: serve without keys on an address that others reach; log: a file for a
    line on each request, with texts if `log_text`.
    """

    host: str
    port: int
    tasks: Sequence[str]
    adapters: Sequence[str]
    keys: Path | None
    no_keys: bool
    limits: Limits
    log: Path | None = None
    log_text: bool = False


def run(root: Path, options: Options) -> int:
    """Serve until SIGTERM or Ctrl-C; what is under way is answered first."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    settings = params.read(root / "params.yaml")
    asked = models.sources(root, settings, options.tasks, options.adapters)
    opened = _keys(root, options)
    with _bound(options.host, options.port) as sock, _logged(options) as request_log:
        loaded = models.load(settings, asked)
        metrics = Metrics()
        batcher = Batcher(Answering(loaded), options.limits, metrics)
        batcher.start()
        warm_up(batcher, loaded)
        server = Server(loaded, batcher, options.limits, metrics)
        host, port = sock.getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        names = ", ".join(loaded)
        guarded = "with API keys" if opened else "without API keys"

        def announce() -> None:
            print(f"finetune serve: {names} at {address}/ {guarded}", flush=True)

        application = app.create(server, opened, options.no_keys, request_log)
        serve(application, batcher, options.limits, sock, announce)
    print("finetune serve: stopped", flush=True)
    return 0


def new_key(root: Path, file: Path | None, name: str) -> int:
    """Make a key, store its hash, and print it."""
    where = file or root / KEYS
    print(keys.add(where, name))
    print(f"finetune serve: {where} holds its hash; the key itself is shown once", file=sys.stderr)
    return 0


def limits(**given: float | None) -> Limits:
    """The limits, with what the command line gives of them.

    Raises:
        UserError: one is not above 0.
    """
    for name, value in given.items():
        if value is not None and not value > 0:
            option = name.removesuffix("_bytes").replace("_", "-")
            raise UserError(f"--max-{option}: is {value:g}, must be above 0")
    changed = {name: value for name, value in given.items() if value is not None}
    return replace(Limits(), **cast(Any, changed))


def _keys(root: Path, options: Options) -> Keys | None:
    """The keys that open the server; None where it needs none.

    Raises:
        UserError: others reach it, and there is no key.
    """
    file = options.keys or root / KEYS
    if options.keys is not None or (file.is_file() and not options.no_keys):
        return keys.read(file)
    if options.no_keys or is_loopback(options.host):
        return None
    raise UserError(
        f"--host {options.host}: others could reach it, and there are no API keys; make one with "
        "`finetune serve --new-key NAME`, or say --no-keys"
    )


@contextlib.contextmanager
def _logged(options: Options) -> Iterator[RequestLog | None]:
    """The log of requests, if there is to be one.

    Raises:
        UserError: it cannot be written.
    """
    if options.log is None:
        yield None
        return
    with contextlib.closing(RequestLog(options.log, options.log_text)) as opened:
        yield opened


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket of the address, taken before the models are loaded; nothing connects to it yet.

    Raises:
        UserError: the address is taken, or none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except (OSError, OverflowError) as error:
            raise UserError(
                f"--host {host} --port {port}: cannot be taken ({error}); is another server there?"
            ) from error
        yield sock


def warm_up(batcher: Batcher, loaded: dict[str, Served]) -> None:
    """Answer one request of each model, so that a model that cannot answer is known at once.

    Raises:
        UserError: it cannot.
    """
    for served in loaded.values():
        ids = served.encoder.encode("warm up").ids
        jobs = [Job((served.name, TEXT), TextRequest(ids, 1))] if served.writes_text else []
        if endpoint := served.endpoint:
            row = endpoint.row(endpoint.example, served.options.prompt)
            jobs.append(Job((served.name, TYPED), row))
        for job in jobs:
            batcher.submit(job)
            try:
                job.future.result()
            except ApiError as error:
                raise UserError(f"{served.name}: cannot answer: {error}") from error


class _Uvicorn(uvicorn.Server):
    """uvicorn, which leaves signals to `serve`: it would raise them again at the end.

    It calls `announce` as soon as it takes connections.
    """

    announce: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def max_connections() -> int:
    """How many connections there may be at once: fewer than files that the system lets us open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft) - OTHER_FILES)
    )


def web_server(application: ASGIApp, limits: Limits) -> _Uvicorn:
    """uvicorn for the application, with our limits; it is told to stop by `should_exit`."""
    return _Uvicorn(
        uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="off",
            limit_concurrency=max_connections(),
            timeout_graceful_shutdown=int(limits.stop),
        )
    )


def serve(
    application: ASGIApp,
    batcher: Batcher,
    limits: Limits,
    sock: socket.socket,
    announce: Callable[[], None],
) -> None:
    """Answer until SIGTERM or SIGINT: then no new connections, and what is under way is answered.

    A second signal does not wait for that. `announce` is called when connections are taken.
    """
    server = web_server(application, limits)
    server.announce = announce

    def stop() -> None:
        server.force_exit, server.should_exit = server.should_exit, True

    async def until_stopped() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        await server.serve(sockets=[sock])

    asyncio.run(until_stopped())
    batcher.stop(0 if server.force_exit else limits.stop)
