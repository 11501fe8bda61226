"""The log of requests: what a line has, and that neither disk nor rotation stops the server."""

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from finetune.core.errors import UserError
from finetune.serving import log, purpose
from finetune.serving.log import RequestLog
from finetune.serving.measure import Target

CHAT, TEXTS = "/v1/chat/completions", "/v1/completions"
SECRET = "Zwiebelkuchen"


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def chat(text: str, **more: object) -> dict:
    return {"model": "samsum", "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
def logged(start, tmp_path):
    """Asks a server by (path, body), and gives the lines that it logged of that."""

    def ask(
        *requests: tuple[str, dict], with_text: bool = False, count: int | None = None
    ) -> list[dict]:
        file = tmp_path / "requests.jsonl"
        written = RequestLog(file, with_text)
        server = start(request_log=written)
        for path, body in requests:
            server.post(path, body)
        # A client has its answer before the line is there.
        until = time.monotonic() + 5
        while len(lines(file)) < (count or len(requests)) and time.monotonic() < until:
            time.sleep(0.01)
        written.close()
        return lines(file)

    return ask


def test_a_line_has_sizes_times_and_prices_and_no_text(logged, server, tmp_path):
    text = f"Anna: I made {SECRET}\nTom: Great"
    answer = server.post("/summarize", {"text": text}).json()["summary"]
    typed, price, chatted, streamed, continued = logged(
        ("/summarize", {"text": text}),
        ("/price", {"text": f"A {SECRET} of oak"}),
        (CHAT, chat(text)),
        (CHAT, chat(text, stream=True)),
        (TEXTS, {"model": "samsum", "prompt": [SECRET, "b"], "max_tokens": 3}),
    )
    assert (typed["task"], typed["model"], typed["path"]) == ("samsum", "samsum", "/summarize")
    assert (typed["status"], typed["refused"], typed["truncated"]) == (200, False, False)
    assert (typed["input_chars"], typed["output_chars"]) == (len(text), len(answer))
    assert typed["prompt_tokens"] > 10
    assert 0 <= streamed["first_seconds"] <= streamed["seconds"] < 30
    assert "first_seconds" not in typed
    assert typed["time"].endswith("Z")
    assert isinstance(price["prediction"], float | None)
    assert price["empty"] == (price["prediction"] is None)
    for each in (chatted, streamed):
        assert each["output_chars"] == typed["output_chars"]
        assert each["input_chars"] == len(text)
        assert each["completion_tokens"] > 0
    assert continued["answers"] == 2
    written = (tmp_path / "requests.jsonl").read_text(encoding="utf-8")
    assert SECRET not in written
    assert answer not in written
    assert (tmp_path / "requests.jsonl").stat().st_mode & 0o077 == 0


def test_texts_are_logged_where_they_are_asked_for(logged):
    (typed,) = logged(("/summarize", {"text": SECRET}), with_text=True)
    assert typed["input"] == SECRET
    assert isinstance(typed["output"], str)


def test_what_is_no_users_request_says_so(start, tmp_path, settings, loaded):
    file = tmp_path / "requests.jsonl"
    written = RequestLog(file)
    server = start(request_log=written)
    for why in (purpose.CANARY, purpose.MEASURE, SECRET):
        server.post("/summarize", {"text": "Anna: Hi"}, headers={purpose.HEADER: why})
    endpoint = loaded["samsum"].endpoint
    target = Target(
        f"http://127.0.0.1:{server.port}", "samsum", settings.tasks["samsum"], endpoint, True
    )
    row = endpoint.row("Anna: Hi", target.options.prompt)
    for each in (target, replace(target, endpoint=None, purpose=purpose.CANARY)):
        each.predictions([row], [row])
    until = time.monotonic() + 5
    while len(lines(file)) < 5 and time.monotonic() < until:
        time.sleep(0.01)
    written.close()
    logged = [line.get("purpose") for line in lines(file)]
    assert logged == ["canary", "measure", None, "measure", "canary"]
    assert SECRET not in file.read_text()


def test_what_a_model_refuses_is_logged_and_what_reaches_none_is_not(logged):
    too_long = "word " * 5000
    refused, missing = logged(
        ("/summarize", {"text": too_long}),
        (CHAT, chat("\t")),
        (CHAT, {**chat("a"), "model": "nobody"}),
        (CHAT, {"broken": True}),
        count=2,
    )
    assert (refused["status"], refused["refused"]) == (400, True)
    assert refused["code"] == "context_length_exceeded"
    assert (missing["task"], missing["refused"], missing["input_chars"]) == ("samsum", True, 0)


def test_a_file_that_cannot_be_opened_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"--log .*: cannot be written: "):
        RequestLog(tmp_path / "nowhere" / "log")


def test_a_full_disk_is_counted_and_said_once_and_what_follows_is_whole(tmp_path, caplog):
    file = tmp_path / "log"
    file.symlink_to("/dev/full")
    written = RequestLog(file)
    for number in range(3):
        written.put({"number": number})
        time.sleep(0.02)
    # There is room again.
    file.unlink()
    written.put({"number": 3})
    written.close()
    lost, last = lines(file)
    assert lost["lost"] == 3
    assert last == {"number": 3}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "No space left on device" in caplog.text


@pytest.mark.parametrize("hangs", [True, False])
def test_lines_that_are_lost_at_the_stop_are_told(tmp_path, monkeypatch, caplog, hangs):
    written = RequestLog(tmp_path / "log")
    may_go = threading.Event()

    def write(descriptor: int, data: bytes) -> int:
        may_go.wait(10)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(log, "STOP_SECONDS", 0.05 if hangs else 5.0)
    if not hangs:
        may_go.set()
    written.put({"number": 1})
    written.close()
    assert "its last lines are lost" in caplog.text
    may_go.set()


def test_a_line_that_was_written_in_part_is_ended_before_the_next(tmp_path, monkeypatch):
    file = tmp_path / "log"
    written = RequestLog(file)
    real, calls = os.write, []

    def write(descriptor: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) == 1:
            return real(descriptor, data[:5])
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    written.put({"number": 1})
    while len(calls) < 2:
        time.sleep(0.005)
    written.put({"number": 2})
    written.close()
    broken, lost, last = file.read_text(encoding="utf-8").splitlines()
    assert broken == '{"num'
    assert json.loads(lost)["lost"] == 1
    assert json.loads(last) == {"number": 2}


def test_nobody_waits_for_a_disk_that_hangs(tmp_path, monkeypatch):
    file = tmp_path / "log"
    written = RequestLog(file, waiting=4)
    real, may_go = os.write, threading.Event()

    def write(descriptor: int, data: bytes) -> int:
        may_go.wait(10)
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    started = time.monotonic()
    for number in range(50):
        written.put({"number": number})
    assert time.monotonic() - started < 1
    may_go.set()
    written.put({"number": "last"})
    written.close()
    logged = lines(file)
    lost = sum(line.get("lost", 0) for line in logged)
    kept = [line["number"] for line in logged if "number" in line]
    assert lost > 40
    assert len(kept) + lost == 51


def test_a_file_that_is_moved_away_is_begun_anew(tmp_path):
    file = tmp_path / "log"
    written = RequestLog(file)
    written.put({"number": 1})
    while not file.stat().st_size:
        time.sleep(0.005)
    file.rename(tmp_path / "log.1")
    written.put({"number": 2})
    written.close()
    assert lines(tmp_path / "log.1") == [{"number": 1}]
    assert lines(file) == [{"number": 2}]
