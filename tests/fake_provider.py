"""A server on this machine that speaks the part of OpenAI's API that hosted models need.

Jobs take several looks until they end; requests can be limited, fail, or be left without an answer
after they were carried out. All that it was sent can be asked for.
"""

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from finetune.hosted import client as clients

KEY = "sk-test-4f9d1c7a2b8e"
Json = dict[str, Any]


def echo(body: Json) -> Json:
    """An answer of any model: the last message's end, so that each row's is its own."""
    text = body["messages"][-1]["content"]
    tuned = body["model"].startswith("ft:")
    return {"content": f"{'Tuned' if tuned else 'Plain'}: {text.split()[-3:]}"}


class Provider:
    """What the server holds, and how it behaves."""

    def __init__(self) -> None:
        self.jobs: list[Json] = []
        self.files: dict[str, tuple[str, bytes]] = {}
        self.chats: list[Json] = []
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = self._at_once = 0
        # What the next requests of a path get in place of an answer: (status, body, headers), or
        # "drop", which is carried out but not answered.
        self.troubles: dict[str, deque[Any]] = {}
        self.looks_until_done, self.end = 3, "succeeded"
        self.answer: Callable[[Json], Json] = echo
        self.chat_seconds = 0.0
        # Called with each request when it was carried out, before it is answered.
        self.carried_out: Callable[[str], None] = lambda _: None
        self.hidden_lists = 0  # so many lists of jobs do not have the newest yet
        self.lock = threading.Lock()

    def trouble(self, path: str, *responses: Any) -> None:
        """Have the next requests of a path go wrong."""
        self.troubles.setdefault(path, deque()).extend(responses)

    @property
    def counts(self) -> Counter[str]:
        """How many requests there were, by method and path."""
        return Counter(self.requests)

    def get(self, path: str, query: dict[str, list[str]]) -> Json | None:
        """What a GET request is answered; None for what is not there."""
        if path == "fine_tuning/jobs":
            jobs = self.jobs[::-1]
            if self.hidden_lists:
                self.hidden_lists -= 1
                jobs = jobs[1:]
            return _page([_public(job) for job in jobs], query)
        if path.startswith("files/"):
            name = path.split("/")[1]
            return {"id": name, "object": "file"} if name in self.files else None
        parts = path.split("/")
        job = next((job for job in self.jobs if job["id"] == parts[2]), None)
        if job is None:
            return None
        if parts[3:] == ["events"]:
            return _page(job["events"][::-1], query)
        self._move(job)
        return _public(job)

    def _move(self, job: Json) -> None:
        job["looks"] += 1
        steps = self.looks_until_done
        if job["status"] in ("succeeded", "failed"):
            return
        job["status"] = "running"
        if job["looks"] < steps:
            _event(job, "metrics", f"Step {job['looks']}", {
                "step": job["looks"], "total_steps": steps - 1, "train_loss": 2.0 / job["looks"],
                "valid_loss": 2.5 / job["looks"],
            })  # fmt: skip
            return
        job["status"] = self.end
        job["finished_at"] = job["created_at"] + 120
        if self.end == "succeeded":
            job["fine_tuned_model"] = f"ft:{job['model']}:org:{job.get('suffix')}:x1"
            job["trained_tokens"] = 4321
            _event(job, "message", "The job has successfully completed")
        else:
            job["error"] = {"code": "invalid_file", "message": "line 3 is odd", "param": None}

    def post(self, path: str, body: Any) -> Json:
        """What a POST request is answered."""
        if path == "files":
            name = f"file-{len(self.files) + 1}"
            self.files[name] = body
            return {"id": name, "object": "file", "bytes": len(body[1])}
        if path == "fine_tuning/jobs":
            job = {
                **body, "id": f"ftjob-{len(self.jobs) + 1}", "object": "fine_tuning.job",
                "status": "validating_files", "created_at": int(time.time()), "looks": 0,
                "events": [], "fine_tuned_model": None, "trained_tokens": None, "error": None,
            }  # fmt: skip
            _event(job, "message", "Created fine-tuning job")
            self.jobs.append(job)
            return _public(job)
        self.chats.append(body)
        message = {"role": "assistant", "content": None, **self.answer(body)}
        end = message.pop("finish_reason", "stop")
        return {
            "id": "chatcmpl-1",
            "choices": [{"index": 0, "message": message, "finish_reason": end}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }


def _event(job: Json, kind: str, message: str, data: Json | None = None) -> None:
    job["events"].append(
        {"id": f"ftevent-{len(job['events'])}", "type": kind, "message": message, "level": "info",
         "created_at": int(time.time()), "data": data}
    )  # fmt: skip


def _public(job: Json) -> Json:
    return {name: value for name, value in job.items() if name not in ("looks", "events")}


def _page(entries: list[Json], query: dict[str, list[str]]) -> Json:
    after = query.get("after", [None])[0]
    ids = [entry["id"] for entry in entries]
    start = ids.index(after) + 1 if after in ids else 0
    limit = min(int(query.get("limit", ["20"])[0]), 2)  # small pages
    chosen = entries[start : start + limit]
    return {"object": "list", "data": chosen, "has_more": start + limit < len(entries)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A response in one packet: in two, the second waits 40 ms for the first's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    provider: Provider

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self._do("GET", None)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        body = _uploaded(content, kind) if "multipart" in kind else json.loads(content)
        self._do("POST", body)

    def _do(self, method: str, body: Any) -> None:
        provider, url = self.provider, urlsplit(self.path)
        path = url.path.removeprefix("/v1/")
        with provider.lock:
            provider.requests.append(f"{method} {path}")
            provider.headers.append(dict(self.headers))
            waiting = provider.troubles.get(f"{method} {path}")
            trouble = waiting.popleft() if waiting else None
            provider._at_once += 1
            provider.most_at_once = max(provider.most_at_once, provider._at_once)
        try:
            if self.headers.get("Authorization") != f"Bearer {KEY}":
                sent = self.headers.get("Authorization", "")
                self._send(401, {"error": {"message": f"Incorrect API key provided: {sent}"}})
            elif trouble is not None and trouble != "drop":
                self._send(*trouble)
            else:
                if path == "chat/completions":
                    time.sleep(provider.chat_seconds)
                with provider.lock:
                    answer = (
                        provider.get(path, parse_qs(url.query))
                        if method == "GET"
                        else provider.post(path, body)
                    )
                provider.carried_out(f"{method} {path}")
                if trouble == "drop":
                    self.close_connection = True
                    return
                missing = {"error": {"message": f"no such {path}", "code": "not_found"}}
                self._send(404 if answer is None else 200, missing if answer is None else answer)
        finally:
            with provider.lock:
                provider._at_once -= 1

    def _send(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        try:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the client was killed
            self.close_connection = True


def _uploaded(content: bytes, kind: str) -> tuple[str, bytes]:
    """Name and content of the file in a multipart body."""
    boundary = kind.partition("boundary=")[2].encode()
    for part in content.split(b"--" + boundary):
        head, _, text = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            name = head.partition(b'filename="')[2].partition(b'"')[0].decode()
            return name, text.removesuffix(b"\r\n")
    raise AssertionError("no file")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Nothing is printed of clients that were killed."""


@contextmanager
def serving(provider: Provider) -> Iterator[str]:
    """The `base_url` at which a provider is served."""
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = _Server(("127.0.0.1", 0), handler)
    serve = {"poll_interval": 0.01}
    threading.Thread(target=server.serve_forever, kwargs=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def provided(monkeypatch: pytest.MonkeyPatch, key_variable: str) -> Iterator[Provider]:
    """A provider at its `url`, whose key is in the environment, and which is soon asked again."""
    monkeypatch.setenv(key_variable, KEY)
    monkeypatch.setattr(clients, "FIRST_WAIT", 0.005)
    made = Provider()
    with serving(made) as made.url:
        yield made


def limited(seconds: str = "0") -> tuple[int, Json, dict[str, str]]:
    """The answer to a request too many."""
    error = {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}
    return 429, error, {"Retry-After": seconds}


def failing(status: int = 503) -> tuple[int, Json, dict[str, str]]:
    """The answer of a server at fault; it may be asked again at once."""
    return status, {"error": {"message": "overloaded"}}, {"Retry-After": "0"}
