"""A running server's answers to the test rows, scored beside those of `predict`."""

import pytest

from finetune.core.errors import UserError
from finetune.core.files import read_json, write_jsonl
from finetune.serving import keys as stored_keys
from finetune.serving import measure

DIALOGUES = [f"Anna: We meet at {hour}.\nTom: At {hour}, fine." for hour in range(1, 9)]


@pytest.fixture
def ran(settings, server, tmp_path, monkeypatch):
    """A repository where `predict` wrote what the server answers, as far as a test changes none."""
    monkeypatch.setattr(measure.params, "read", lambda _: settings)

    def made(change=lambda place, answer: answer):
        rows, predictions = [], []
        for place, dialogue in enumerate(DIALOGUES):
            row = {"id": str(place), "dialogue": dialogue, "summary": "They meet."}
            rows.append(row)
            answer = server.post("/summarize", {"text": dialogue}).json()["summary"]
            predictions.append({
                "id": row["id"], "prediction": change(place, answer), "reference": "They meet.",
                "hit_length_cap": False, "empty": False, "reference_nll": 1.0,
                "reference_tokens": 3, "reference_truncated": False, "prompt_truncated": False,
            })  # fmt: skip
        write_jsonl(tmp_path / "data/prepared/samsum/test.jsonl", rows)
        write_jsonl(tmp_path / "predictions/samsum/tuned.jsonl", predictions)
        return tmp_path

    return made


def url(server) -> str:
    return f"http://127.0.0.1:{server.port}/"


@pytest.mark.parametrize("by_chat", [False, True])
def test_of_the_same_answers_the_difference_is_none(ran, server, capsys, by_chat):
    root = ran()
    assert measure.run(root, url(server), ["samsum"], by_chat) == 0
    entry = read_json(root / "metrics/samsum/served.json")["samsum"]["served"]
    assert (entry["n"], entry["differing"], entry["no_answer"]) == (8, 0, 0)
    assert entry["difference"]["rouge1"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert entry["by"] == ("chat" if by_chat else "/summarize")
    assert "0 of 8 answers differ" in capsys.readouterr().out


def test_of_other_answers_it_is_told(ran, server):
    root = ran(lambda place, answer: "They meet." if place < 3 else answer)
    assert measure.run(root, url(server), ["samsum"], by_chat=False) == 0
    entry = read_json(root / "metrics/samsum/served.json")["samsum"]["served"]
    assert entry["differing"] == 3
    assert entry["difference"]["rouge1"]["mean"] < -20


def test_a_chat_gives_no_distribution(ran, server):
    with pytest.raises(UserError, match="price: its answers are numbers from a distribution"):
        measure.run(ran(), url(server), ["price"], by_chat=True)


def test_a_server_that_refuses_or_is_not_there_is_one_line(ran, start, tmp_path, monkeypatch):
    root = ran()
    key = stored_keys.add(tmp_path / "keys.json", "one")
    server = start(keys=stored_keys.read(tmp_path / "keys.json"))
    with pytest.raises(UserError, match=r"status 401: .*; the key comes from FINETUNE_API_KEY"):
        measure.run(root, url(server), ["samsum"], by_chat=False)
    monkeypatch.setenv(measure.KEY, key)
    assert measure.run(root, url(server), ["samsum"], by_chat=False) == 0
    with pytest.raises(UserError, match="is the server running"):
        measure.run(root, "http://127.0.0.1:9", ["samsum"], by_chat=False)
    with pytest.raises(UserError, match="not there; `dvc repro` makes it"):
        measure.run(tmp_path / "elsewhere", url(server), ["samsum"], by_chat=False)
