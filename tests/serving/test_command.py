"""`finetune serve` as a process: what it refuses to begin, and how it ends."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from pipeline_clone import Clone

from finetune.core.errors import UserError
from finetune.core.files import read_jsonl
from finetune.serving import command
from finetune.serving.batching import Batcher, Job
from finetune.serving.command import Options
from finetune.serving.limits import Limits

ROOT = Path(__file__).parents[2]


def options(**more) -> Options:
    given = {
        "host": "127.0.0.1", "port": 0, "tasks": [], "adapters": [], "keys": None,
        "no_keys": False, "limits": Limits(),
    }  # fmt: skip
    return Options(**{**given, **more})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "models.example"])
def test_where_others_reach_it_there_must_be_keys(tmp_path, host):
    with pytest.raises(UserError, match=r"--new-key NAME`, or say --no-keys"):
        command._keys(tmp_path, options(host=host))
    assert command._keys(tmp_path, options(host=host, no_keys=True)) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_this_machine_there_need_not(tmp_path, host):
    assert command._keys(tmp_path, options(host=host)) is None


def test_keys_that_are_there_are_asked_for_everywhere(tmp_path, capsys):
    assert command.new_key(tmp_path, None, "one") == 0
    said = capsys.readouterr()
    key = said.out.strip()
    assert key not in said.err
    assert command._keys(tmp_path, options()).name_of(key.encode()) == "one"
    with pytest.raises(UserError, match="not there"):
        command._keys(tmp_path, options(keys=tmp_path / "other.json"))


def test_an_address_that_is_taken_is_one_line_before_anything_is_loaded():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(UserError, match=f"--port {port}: cannot be taken"),
            command._bound("127.0.0.1", port),
        ):
            pass
    with pytest.raises(UserError, match="cannot be taken"), command._bound("127.0.0.1", 70000):
        pass


def test_connections_are_fewer_than_files_may_be_open():
    connections = command.max_connections()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 1 <= connections <= command.CONNECTIONS
    assert soft == resource.RLIM_INFINITY or connections < soft


def test_limits_are_above_0():
    assert command.limits(batch=4, queue=None) == Limits(batch=4)
    with pytest.raises(UserError, match="--max-wait: is -1, must be above 0"):
        command.limits(wait=-1.0)
    with pytest.raises(UserError, match="--max-new-tokens: is 0, must be above 0"):
        command.limits(new_tokens=0)
    with pytest.raises(UserError, match="--max-body: is 0, must be above 0"):
        command.limits(body_bytes=0)


def test_the_address_is_told_when_the_server_takes_connections():
    """Who waits for the line must not be refused: the socket is bound long before it listens."""
    told = []

    def announce() -> None:
        with socket.create_connection(sock.getsockname(), timeout=5):
            told.append(True)
        os.kill(os.getpid(), signal.SIGTERM)

    batcher = Batcher(lambda group, jobs: None, Limits())
    batcher.start()
    with command._bound("127.0.0.1", 0) as sock:
        command.serve(FastAPI(), batcher, Limits(stop=5), sock, announce)
    assert told == [True]
    assert not batcher.is_alive


def test_a_second_signal_does_not_wait_for_the_batch_that_is_computed():
    begun, end = threading.Event(), threading.Event()

    def compute(group, jobs):
        begun.set()
        end.wait(20)

    batcher = Batcher(compute, Limits())
    batcher.start()
    batcher.submit(Job("a", 1))
    begun.wait(5)
    started = time.monotonic()

    app = FastAPI()

    @app.get("/")
    async def hang() -> None:
        # Under way, this request keeps the server until the second signal.
        for after in (0, 0.2):
            asyncio.get_running_loop().call_later(after, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)

    def announce() -> None:
        client = socket.create_connection(sock.getsockname(), timeout=5)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        clients.append(client)

    clients = []
    with command._bound("127.0.0.1", 0) as sock:
        command.serve(app, batcher, Limits(stop=10), sock, announce)
    end.set()
    clients[0].close()
    assert time.monotonic() - started < 5


def test_models_are_warmed_up_however_short_the_queue_is(loaded, answering):
    batcher = Batcher(answering, Limits(queue=1))
    batcher.start()
    command.warm_up(batcher, loaded)
    batcher.stop(5)


@pytest.mark.slow
def test_the_quick_experiment_is_served_as_it_was_predicted_and_stops_gracefully(tmp_path_factory):
    clone = Clone.of_quick(tmp_path_factory)
    process = subprocess.Popen(
        [sys.executable, "-m", "finetune.cli", "serve", "--port", "0"],
        cwd=clone.folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(
            ["src", *filter(None, [os.environ.get("PYTHONPATH")])]
        )},
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        assert line.startswith("finetune serve: samsum, price at http://127.0.0.1:"), line
        url = line.split()[5].rstrip("/")
        with httpx2.Client(base_url=url, timeout=60) as client:
            for task, path, read, field in (
                ("samsum", "/summarize", "dialogue", "summary"),
                ("price", "/price", "text", "estimate"),
            ):
                rows = read_jsonl(clone.folder / f"data/prepared/{task}/test.jsonl")
                predicted = read_jsonl(clone.folder / f"predictions/{task}/tuned.jsonl")
                bodies = [{"text": row[read], "truncate": True} for row in rows]
                with ThreadPoolExecutor(16) as pool:
                    answers = list(pool.map(partial(_asked, client, path), bodies))
                expected = [
                    None if row.get("unparsable") else row["prediction"] for row in predicted
                ]
                assert [answer[field] for answer in answers] == expected
            # What is under way when it is told to stop is answered to its end.
            body = {"model": "samsum", "max_tokens": 200, "temperature": 1.0, "stream": True}
            body["messages"] = [{"role": "user", "content": rows[0]["text"]}]
            with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                lines = answer.iter_lines()
                next(lines)
                process.send_signal(signal.SIGTERM)
                assert [line for line in lines if line][-1] == "data: [DONE]"
        assert process.wait(30) == 0
        assert process.stdout.read() == "finetune serve: stopped\n"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=1)
    finally:
        process.kill()


def _asked(client: httpx2.Client, path: str, body: dict) -> dict:
    return client.post(path, json=body).json()


MODELS = [ROOT / "models" / task / "adapter_model.safetensors" for task in ("samsum", "price")]


@pytest.mark.slow
@pytest.mark.skipif(
    not all(file.is_file() for file in MODELS),
    reason="needs the trained default (`dvc repro` or `dvc pull`); bench/serving.py asks all rows",
)
def test_the_trained_default_answers_its_test_rows_as_predict_did(monkeypatch):
    """Every fourth row of each task, typed and, where the answer is a text, as a chat."""
    from finetune.core import params
    from finetune.serving import chats, models
    from finetune.serving.answering import TEXT, TYPED, Answering
    from finetune.serving.batching import Batcher, Job
    from finetune.serving.decoding import TextRequest
    from finetune.tasks import registry

    monkeypatch.chdir(ROOT)
    settings = params.read(ROOT / "params.yaml")
    loaded = models.load(settings, models.sources(Path(), settings, [], []))
    batcher = Batcher(Answering(loaded), Limits(queue=1000))
    batcher.start()
    asked = []
    for name, served in loaded.items():
        kind = registry.rows(served.options.kind)
        rows = read_jsonl(ROOT / f"data/prepared/{name}/test.jsonl")
        predicted = {
            row["id"]: row["prediction"]
            for row in read_jsonl(ROOT / f"predictions/{name}/tuned.jsonl")
            if not row.get("draw")
        }
        for row in [kind.Row(**each) for each in rows[::4]]:
            asked.append((predicted[row.id], Job((name, TYPED), row)))
            if isinstance(predicted[row.id], str):
                ids = chats.encode(served.encoder, [("user", row.input)], truncate=True).ids
                work = TextRequest(ids, served.options.prompt.max_completion_tokens)
                asked.append((predicted[row.id], Job((name, TEXT), work)))
    batcher.submit(*(job for _, job in asked))
    for expected, job in asked:
        answer = job.future.result(60)
        values = answer.values() if isinstance(answer, dict) else [answer.text]
        assert expected in values
    batcher.stop(5)
