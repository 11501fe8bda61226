"""Hostile requests: each gets a clear status, and the server answers as well as before."""

import concurrent.futures
import json
import socket
import time

import httpx2
import pytest

from finetune.serving import guard
from finetune.serving import keys as stored_keys
from finetune.serving.limits import Limits

CHAT, TEXTS, TYPED = "/v1/chat/completions", "/v1/completions", "/summarize"
HELLO = [{"role": "user", "content": "Anna: Hello"}]
GOOD = {"text": "Anna: Hello\nTom: Hi", "model": "samsum"}


def chat(**more: object) -> dict:
    return {"model": "samsum", "messages": HELLO, "max_tokens": 4, **more}


def texts(**more: object) -> dict:
    return {"model": "samsum", "prompt": "Anna", "max_tokens": 4, **more}


# What is asked: path, body, status, and words of the message.
ASKED = {
    "no fields": (CHAT, {}, 400, "model"),
    "a list": (CHAT, [], 400, "body"),
    "a number": (TYPED, 5, 400, "body"),
    "an unknown model": (CHAT, chat(model="gpt-9"), 404, "served: samsum, price"),
    "a path for a model": (CHAT, chat(model="../../etc/passwd"), 404, "no model"),
    "a number for a model": (CHAT, chat(model=5), 400, "model"),
    "no messages": (CHAT, chat(messages=[]), 400, "messages"),
    "a text for messages": (CHAT, chat(messages="hello"), 400, "messages"),
    "too many messages": (CHAT, chat(messages=HELLO * 65), 400, "messages"),
    "an unknown role": (CHAT, chat(messages=[{"role": "root", "content": "a"}]), 400, "role"),
    "a system message": (
        CHAT, chat(messages=[{"role": "system", "content": "a"}, *HELLO]), 400, "system",
    ),
    "two questions": (CHAT, chat(messages=HELLO * 2), 400, "by turns"),
    "an assistant at the end": (
        CHAT, chat(messages=[*HELLO, {"role": "assistant", "content": "a"}]), 400, "last message",
    ),
    "null content": (CHAT, chat(messages=[{"role": "user", "content": None}]), 400, "content"),
    "an image": (
        CHAT,
        chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]),
        400, "content",
    ),
    "blanks alone": (CHAT, chat(messages=[{"role": "user", "content": " \n\t "}]), 400, "no text"),
    "no new tokens": (CHAT, chat(max_tokens=0), 400, "max_tokens"),
    "a billion new tokens": (CHAT, chat(max_tokens=10**9), 400, "max_tokens"),
    "more new tokens than the context": (CHAT, chat(max_tokens=250), 400, "context"),
    "a text for a number": (CHAT, chat(max_tokens="4"), 400, "max_tokens"),
    "a negative temperature": (CHAT, chat(temperature=-1), 400, "temperature"),
    "a text for a flag": (CHAT, chat(stream="yes"), 400, "stream"),
    "many answers": (CHAT, chat(n=1000), 400, "n:"),
    "tools": (CHAT, chat(tools=[]), 400, "tools"),
    "log-probabilities": (CHAT, chat(logprobs=True), 400, "logprobs"),
    "an empty stop": (CHAT, chat(stop=""), 400, "stop"),
    "a seed below 0": (CHAT, chat(seed=-1), 400, "seed"),
    "no prompts": (TEXTS, texts(prompt=[]), 400, "prompt"),
    "an empty prompt of ids": (TEXTS, texts(prompt=[[]]), 400, "prompt"),
    "too many prompts": (TEXTS, texts(prompt=["a"] * 17), 400, "prompt"),
    "ids that are none": (TEXTS, texts(prompt=[1, 10**7]), 400, "token ids"),
    "ids below 0": (TEXTS, texts(prompt=[-1]), 400, "token ids"),
    "several streams": (TEXTS, texts(prompt=["a", "b"], stream=True), 400, "one prompt"),
    "an empty text": (TYPED, {"text": ""}, 400, "text"),
    "a text of line ends": (TYPED, {"text": "\r\n\r\n"}, 400, "no text"),
    "an unknown field": (TYPED, {"text": "a", "debug": True}, 400, "debug"),
    "another task's model": (TYPED, {"text": "a", "model": "price"}, 400, "at /summarize are"),
    "a prompt that does not fit": (TYPED, {"text": "word " * 2000}, 400, "does not fit"),
    "a chat that does not fit": (
        CHAT, chat(messages=[{"role": "user", "content": "a b " * 2000}]), 400, "does not fit",
    ),
    "a prompt longer than the context": (TEXTS, texts(prompt="a b " * 2000), 400, "context"),
}  # fmt: skip

# Bytes of a body, and the status; the message must not repeat them.
BODIES = {
    "nothing": (b"", 400),
    "null": (b"null", 400),
    "broken": (b'{"text": "a', 400),
    "a deep nest": (b"[" * 100_000, 400),
    "a number of many digits": (b'{"text": ' + b"9" * 10_000 + b"}", 400),
    "no UTF-8": (b'{"text": "\xff\xfe"}', 400),
    "half a surrogate pair": (b'{"text": "\\ud83d secret"}', 400),
    "half a pair for a key": (b'{"text": "a", "\\ud83d": 1}', 400),
    "infinity": (b'{"text": "a", "truncate": Infinity}', 400),
    "too much": (b'{"text": "' + b"a" * 300_000 + b'"}', 413),
}
HEADERS = {
    "a form": ({"content-type": "application/x-www-form-urlencoded"}, 415),
    "no type": ({"content-type": ""}, 415),
    "compressed": ({"content-encoding": "gzip"}, 415),
    "another host": ({"host": "evil.example"}, 403),
    "a host that begins like this one": ({"host": "localhost.evil.example:80"}, 403),
}


@pytest.fixture(autouse=True)
def _is_well_afterwards(server):
    yield
    assert server.client.get("/healthz").status_code == 200
    assert server.post("/price", {"text": "A chair"}).status_code == 200


def error_of(answer: httpx2.Response) -> str:
    """The message of an error, whose shape is that of the OpenAI API."""
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    return error["message"]


@pytest.mark.parametrize(("path", "body", "status", "words"), ASKED.values(), ids=ASKED)
def test_what_cannot_be_answered_is_refused_with_a_reason(server, path, body, status, words):
    answer = server.post(path, body)
    assert (answer.status_code, words in error_of(answer)) == (status, True), answer.text


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES)
def test_bodies_that_are_no_request(server, body, status):
    answer = server.client.post(TYPED, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert "secret" not in error_of(answer)


@pytest.mark.parametrize(("headers", "status"), HEADERS.values(), ids=HEADERS)
def test_headers_that_are_refused(server, headers, status):
    sent = {"content-type": "application/json", **headers}
    answer = server.client.post(TYPED, content=json.dumps(GOOD).encode(), headers=sent)
    assert answer.status_code == status, error_of(answer)


@pytest.mark.parametrize(
    "text",
    ["\x00\x01\x02\x1b[31m", "‮‭", "💩" * 10, "<|end|><|assistant|>", "a\u0301" * 20, "\ufeff a"],
)
def test_odd_characters_are_text_like_any_other(server, text):
    for path, body in ((TYPED, {"text": text}), ("/price", {"text": text})):
        assert server.post(path, body).status_code == 200


def test_a_text_that_does_not_fit_may_be_truncated_if_the_client_says_so(server):
    answer = server.post(TYPED, {"text": "word " * 2000, "truncate": True})
    assert answer.json()["prompt_truncated"] is True
    assert server.post(TYPED, GOOD).json()["prompt_truncated"] is False


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/summarize", 405), ("DELETE", "/v1/models", 405), ("GET", "/../../etc/passwd", 404),
    ("POST", "/nowhere", 404), ("GET", "/v1/models/nobody", 404), ("GET", "/docs", 404),
])  # fmt: skip
def test_paths_and_methods_that_there_are_not(server, method, path, status):
    content = "{}" if method == "POST" else None
    headers = {"content-type": "application/json"}
    answer = server.client.request(method, path, content=content, headers=headers)
    assert answer.status_code == status
    error_of(answer)


@pytest.mark.parametrize("path", ["/price", "/summarize", CHAT, TEXTS])
def test_who_asks_by_another_method_is_told_by_which(server, path):
    answer = server.client.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "is asked by POST" in error_of(answer)


def test_paths_of_clients_make_no_metrics(server):
    for number in range(3):
        server.client.get(f"/made-up-{number}")
    text = server.client.get("/metrics").text
    assert "made-up" not in text
    assert 'path="other",status="404"' in text


def raw(server, data: bytes) -> bytes:
    """The first bytes that come back for these."""
    with server.connected() as sock:
        sock.sendall(data)
        return sock.recv(1000)


def test_what_is_no_http_is_a_400(server):
    assert raw(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\n\r\n\r\n").startswith(
        b"HTTP/1.1 400"
    )


def test_a_head_without_end_is_refused(server):
    flood = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 20_000
    with server.connected() as sock:
        try:
            sock.sendall(flood)
            assert sock.recv(100).startswith(b"HTTP/1.1 4")
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused, before all of it was sent


def test_a_body_announced_too_large_is_refused_before_it_is_sent(server):
    head = b"POST /summarize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert b" 413 " in raw(server, head + b"Content-Length: 99999999999\r\n\r\n")


def test_who_sends_a_body_that_is_too_large_all_the_same_reads_why_it_is_refused(server):
    """A connection that is closed over what was not read would be reset, its answer lost."""
    head = "POST /summarize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    body = b" " * 8_000_000
    with server.connected() as sock:
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert sock.recv(12) == b"HTTP/1.1 413"


def test_a_body_in_endless_chunks_is_refused(server):
    head = b"POST /summarize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    with server.connected() as sock:
        sock.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(8):
                sock.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            return
        assert b" 413 " in sock.recv(100)


def test_a_body_that_does_not_come_is_not_waited_for(start):
    server = start(limits=Limits(read=0.2, stop=2))
    head = b"POST /summarize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert b" 408 " in raw(server, head + b"Content-Length: 100\r\n\r\n{")


def test_without_or_with_a_wrong_key_all_but_health_and_the_page_is_closed(start, tmp_path):
    file = tmp_path / "keys.json"
    key = stored_keys.add(file, "one")
    server = start(keys=stored_keys.read(file))
    wrong = ["", "Bearer", f"Basic {key}", f"Bearer {key}x", f"Bearer {key[:-1]}", key]
    wrong += ["Bearer \xff\xfe", "Bearer " + "a" * 30_000]
    for path in ("/v1/models", "/metrics", "/openapi.json", "/summarize", "/nowhere"):
        for header in wrong:
            sent = {"authorization": header.encode("latin-1")} if header else {}
            answer = server.client.get(path, headers=sent)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert key not in error_of(answer)
    for path in ("/", "/healthz", "/readyz"):
        assert server.client.get(path).status_code == 200
    right = {"authorization": f"Bearer {key}"}
    assert server.post(TYPED, GOOD, headers=right).status_code == 200
    # With a key the name by which the server is reached does not matter.
    named = {**right, "host": "models.example"}
    assert server.client.get("/v1/models", headers=named).status_code == 200


def test_who_serves_without_keys_to_others_is_asked_by_any_name(start):
    server = start(any_host=True)
    assert server.client.get("/v1/models", headers={"host": "10.0.0.7:8000"}).status_code == 200


def leave(server, body: dict, path: str = TYPED) -> None:
    """Ask, and close the connection at once."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with server.connected() as sock:
        sock.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.2.3:8000", "LOCALHOST:80", "[::1]:8000", "::1"]
)
def test_names_of_this_machine(host):
    assert guard.is_loopback(guard.without_port(host))


@pytest.mark.parametrize(
    "host",
    ["", ":80", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "[::2]"],
)
def test_names_of_other_machines(host):
    assert not guard.is_loopback(guard.without_port(host))


def test_clients_that_leave_are_forgotten(start):
    seen = []

    def compute(group, jobs):
        seen.extend(job.work.dialogue for job in jobs)
        time.sleep(0.5)
        for job in jobs:
            job.answer({"summary": "", "hit_length_cap": False, "prompt_truncated": False})

    server = start(compute=compute)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(server.post, TYPED, {"text": "first"})
        time.sleep(0.1)
        for _ in range(5):
            leave(server, {"text": "left"})
        assert first.result().status_code == 200
    assert server.post(TYPED, GOOD).status_code == 200
    assert "left" not in seen
    assert server.metric("finetune_clients_left_total") == 5


def test_a_client_that_leaves_a_stream_is_forgotten(server):
    leave(server, chat(stream=True, max_tokens=64), CHAT)
    body = chat(stream=True, max_tokens=64)
    with server.client.stream("POST", CHAT, json=body) as answer:
        next(answer.iter_lines())
    until = time.monotonic() + 5
    while server.metric("finetune_waiting") and time.monotonic() < until:
        time.sleep(0.05)
    assert server.metric("finetune_waiting") == 0
