"""`finetune monitor` on logs: what it finds, counts and refuses."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from finetune.core.errors import UserError
from finetune.core.files import read_jsonl, write_jsonl
from finetune.monitoring import command
from finetune.monitoring.command import Options
from finetune.monitoring.reference import NOT_FITTING

ROOT = Path(__file__).parents[2]
MEDIAN = 9.5  # of train: stands in where there is no price


def summary(number: int) -> str:
    return "They meet. " * (1 + number % 5)


def dialogue(number: int) -> str:
    return f"Anna: We meet at {number:02}. " * (1 + number % 7)


def lamp(number: int) -> str:
    return f"Lamp{number:02} " * (1 + number % 7)


def price(number: int) -> float:
    return float(number % 9)


@pytest.fixture
def root(tmp_path) -> Path:
    """A repository with rows and predictions of both tasks."""
    (tmp_path / "params.yaml").symlink_to(ROOT / "params.yaml")
    texts = [
        {"id": str(i), "dialogue": dialogue(i).strip(), "summary": "They meet."} for i in range(60)
    ]
    prices = [{"id": str(i), "text": lamp(i), "price": MEDIAN, "category": None} for i in range(60)]
    for task, rows in (("samsum", texts), ("price", prices)):
        for split in ("train", "test"):
            write_jsonl(tmp_path / f"data/prepared/{task}/{split}.jsonl", rows)
    write_jsonl(tmp_path / "predictions/samsum/tuned.jsonl", [
        {"id": str(i), "prediction": summary(i), "empty": False, "hit_length_cap": False}
        for i in range(60)
    ])  # fmt: skip
    write_jsonl(tmp_path / "predictions/price/tuned.jsonl", [
        {"id": str(i), "prediction": MEDIAN if i == 3 else price(i), "unparsable": i == 3}
        for i in range(60)
    ])  # fmt: skip
    return tmp_path


def entry(number: int, task: str = "samsum", **more: object) -> dict:
    path = "/summarize" if task == "samsum" else "/price"
    answer = (
        {"output_chars": len(summary(number)), "capped": False}
        if task == "samsum"
        else {"prediction": price(number)}
    )
    length = len(dialogue(number).strip()) if task == "samsum" else len(lamp(number))
    return {
        "time": f"2026-11-22T10:{number % 60:02}:00.000Z", "path": path, "status": 200,
        "seconds": 0.1, "model": task, "task": task, "input_chars": length, "answers": 1,
        "empty": False, "refused": False, "truncated": False, **answer, **more,
    }  # fmt: skip


def run(root: Path, entries: list, capsys, tail: str = "", **more: object) -> tuple[int, str]:
    log = root / "requests.jsonl"
    log.write_text("".join(json.dumps(each) + "\n" for each in entries) + tail, encoding="utf-8")
    given = {
        "log": log, "tasks": [], "model": None, "since": None, "url": None, "canaries": None,
        "style": "json",
    }  # fmt: skip
    code = command.run(root, Options(**{**given, **more}))
    return code, capsys.readouterr().out


def drifted(said: str, task: str) -> list[str]:
    return [each["what"] for each in json.loads(said)["tasks"][task]["compared"] if each["drifted"]]


def test_requests_like_the_rows_have_not_drifted(root, capsys):
    entries = [entry(i, task) for i in range(60) for task in ("samsum", "price")]
    code, said = run(root, entries, capsys)
    assert code == 0
    assert drifted(said, "samsum") == drifted(said, "price") == []
    compared = [each["what"] for each in json.loads(said)["tasks"]["price"]["compared"]]
    assert compared == ["length of inputs", "predicted numbers", NOT_FITTING, "no answer"]


@pytest.mark.parametrize(
    ("task", "change", "what"),
    [
        ("samsum", {"input_chars": 2000}, "length of inputs"),
        ("samsum", {"output_chars": 3}, "length of answers"),
        ("samsum", {"capped": True}, "truncated answers"),
        ("price", {"prediction": 500.0}, "predicted numbers"),
        ("price", {"empty": True, "prediction": None}, "no answer"),
        ("price", {"status": 400, "refused": True}, NOT_FITTING),
        ("samsum", {"truncated": True}, NOT_FITTING),
    ],
)
def test_planted_drift_is_found_and_ends_with_1(root, capsys, task, change, what):
    entries = [entry(i, task, **(change if i % 2 else {})) for i in range(60)]
    code, said = run(root, entries, capsys)
    assert code == 1
    assert drifted(said, task) == [what]


def test_prompts_that_predict_truncates_may_be_refused_by_the_server(root, capsys):
    file = root / "predictions/samsum/tuned.jsonl"
    predictions = [
        {**row, "prompt_truncated": i % 2 == 0} for i, row in enumerate(read_jsonl(file))
    ]
    write_jsonl(file, predictions)
    refused = {"status": 400, "refused": True}
    code, said = run(root, [entry(i, **(refused if i % 2 == 0 else {})) for i in range(60)], capsys)
    assert (code, drifted(said, "samsum")) == (0, [])


def test_broken_and_lost_lines_are_counted_and_not_fatal(root, capsys):
    entries = [*(entry(i) for i in range(30)), {"time": "2026-11-22T10:00:00Z", "lost": 7}]
    tail = '{"time": "2026\n[1]\n"text"\n\n{"time": 5}\n\x00\ufffd\n'
    tail += json.dumps({**entry(1), "time": "yesterday"}) + "\n"
    tail += json.dumps({**entry(1), "task": ["samsum"]}) + "\n" + "[" * 100_000
    code, said = run(root, entries, capsys, tail)
    assert code == 0
    found = json.loads(said)
    assert (found["requests"], found["broken"], found["lost"]) == (30, 9, 7)


def test_what_cannot_be_compared_is_counted(root, capsys):
    odd = [
        entry(1, path="/v1/completions"),
        entry(2, model="samsum-100"),
        entry(3, status=503, answers=0),
        {key: value for key, value in entry(4).items() if key not in ("status", "answers")},
    ]
    _, said = run(root, [*(entry(i) for i in range(30)), *odd], capsys, style="simple")
    counts = "30 answered, 0 refused, 2 not answered; not compared: 1 continued prompts, 1 of other"
    assert counts in said


@pytest.mark.parametrize("purpose", ["canary", "measure"])
def test_what_is_no_users_request_is_left_out_and_counted(root, capsys, purpose):
    entries = [entry(i) for i in range(40)]
    entries += [entry(1, input_chars=9000, purpose=purpose)] * 30
    code, said = run(root, entries, capsys, style="simple")
    assert code == 0
    assert "40 requests; " in said
    assert "canaries and measured rows: 30" in said
    assert json.loads(run(root, entries, capsys)[1])["checks"] == 30


def test_of_a_few_requests_nothing_is_said(root, capsys):
    code, said = run(root, [entry(1, input_chars=5000)] * 19, capsys, style="simple")
    assert code == 0
    assert "too few requests to compare: it takes 20" in said


def test_requests_before_a_time_are_left_out(root, capsys):
    entries = [entry(i, **({"input_chars": 9000} if i < 30 else {})) for i in range(60)]
    code, said = run(root, entries, capsys, since="2026-11-22T10:30Z", style="simple")
    assert code == 0
    assert "30 requests; broken lines: 0; lines lost by the server: 0; earlier requests: 30" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tasks": ["none"]}, "no task 'none'; known: samsum, price"),
        ({"since": "noon"}, "--since: is noon, must be a time"),
        ({"since": "2027-01-01"}, "holds no request to samsum or price since 2027-01-01"),
        ({"canaries": 0, "url": "http://localhost:8000"}, "--canaries: is 0"),
        ({"canaries": 8}, "--canaries: needs --url URL"),
        ({"log": Path("none")}, "none: cannot be read: No such file"),
    ],
)
def test_a_mistake_is_one_line(root, capsys, more, said):
    with pytest.raises(UserError, match=re.escape(said)):
        run(root, [entry(1)], capsys, **more)


@pytest.fixture
def url(root):
    """A server that answers as the committed predictions, but for the inputs in `wrong`."""
    wrong: set[str] = set()
    summaries = {dialogue(i).strip(): summary(i) for i in range(60)}
    prices = {lamp(i).strip(): None if i == 3 else price(i) for i in range(60)}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = asked["text"].strip()
            if self.path == "/price":
                answer = {"estimate": 500.0 if text in wrong else prices[text]}
            else:
                answer = {"summary": "Else." if text in wrong else summaries[text]}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", wrong
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("task", ["samsum", "price"])
def test_all_test_rows_are_canaries_where_so_many_are_asked_for(root, capsys, url, task):
    address, _ = url
    entries = [entry(i, task) for i in range(30)]
    code, said = run(root, entries, capsys, url=address, canaries=100, style="simple")
    assert "canaries: all 60 test rows are answered as in the committed predictions" in said
    assert code == 0


@pytest.mark.parametrize("task", ["samsum", "price"])
def test_a_canary_that_is_answered_otherwise_ends_with_1(root, capsys, url, task):
    address, wrong = url
    wrong.update((dialogue if task == "samsum" else lamp)(i).strip() for i in range(60))
    entries = [entry(i, task) for i in range(30)]
    code, said = run(root, entries, capsys, url=address, style="simple")
    assert code == 1
    assert "canaries: 8 of 8 test rows are answered otherwise" in said
    assert "no drift found" in said


def test_sampled_answers_are_no_canaries(root, capsys, url):
    address, _ = url
    sampled = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("greedy", "sample")
    (root / "params.yaml").unlink()
    (root / "params.yaml").write_text(sampled, encoding="utf-8")
    with pytest.raises(UserError, match="samsum: its answers are sampled"):
        run(root, [entry(i) for i in range(30)], capsys, url=address)
