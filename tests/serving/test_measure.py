"""A running server's answers to the test rows, scored beside those of `predict`."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from finetune.core.errors import UserError
from finetune.core.files import read_json, short_hash, write_json, write_jsonl
from finetune.serving import keys as stored_keys
from finetune.serving import measure

DIALOGUES = [f"Anna: We meet at {hour}.\nTom: At {hour}, fine." for hour in range(1, 9)]
TEXTS = [f"Cordless drill, {volts} V, with two batteries." for volts in range(12, 20)]


@pytest.fixture(scope="module")
def answered(server):
    """The server's answers to the rows of both tasks."""

    def ask(question):
        path, text = question
        return server.post(path, {"text": text}).json()

    with ThreadPoolExecutor(8) as pool:
        return {
            path: list(pool.map(ask, [(path, text) for text in texts]))
            for path, texts in (("/summarize", DIALOGUES), ("/price", TEXTS))
        }


@pytest.fixture
def ran(settings, loaded, answered, tmp_path, monkeypatch):
    """A repository where `predict` wrote what the server answers, as far as a test changes none."""

    def written(task, rows, predictions) -> None:
        for split in ("train", "test"):
            write_jsonl(tmp_path / f"data/prepared/{task}/{split}.jsonl", rows)
        file = tmp_path / f"predictions/{task}/tuned.jsonl"
        write_jsonl(file, predictions)
        folder = tmp_path / "metrics" / task
        write_json(folder / "tuned.json", {task: {"predictions_hash": short_hash(file)}})
        trained = {"adapter_hash": loaded[task].adapter_hash}
        write_json(folder / "train.json", {task: {"train": trained}})

    def made(change=lambda place, answer: answer, price=None, max_no_answer=0.0):
        score = settings.tasks["price"].score.model_copy(update={"max_no_answer": max_no_answer})
        tasks = {
            **settings.tasks,
            "price": settings.tasks["price"].model_copy(update={"score": score}),
        }
        read = settings.model_copy(update={"tasks": tasks})
        monkeypatch.setattr(measure.params, "read", lambda _: read)
        rows, predictions = [], []
        for place, dialogue in enumerate(DIALOGUES):
            rows.append({"id": str(place), "dialogue": dialogue, "summary": "They meet."})
            answer = answered["/summarize"][place]["summary"]
            predictions.append({
                "id": str(place), "prediction": change(place, answer), "reference": "They meet.",
                "hit_length_cap": False, "empty": False, "reference_nll": 1.0,
                "reference_tokens": 3, "reference_truncated": False, "prompt_truncated": False,
            })  # fmt: skip
        written("samsum", rows, predictions)
        rows = [
            {"id": str(n), "text": text, "category": None, "price": 50.0 + n}
            for n, text in enumerate(TEXTS)
        ]
        answers = [price or answer["estimate"] for answer in answered["/price"]]
        prices = [
            {"id": row["id"], "prediction": 53.5 if answer is None else answer,
             "unparsable": answer is None}
            for row, answer in zip(rows, answers, strict=True)
        ]  # fmt: skip
        written("price", rows, prices)
        return tmp_path

    return made


def url(server) -> str:
    return f"http://127.0.0.1:{server.port}/"


def entry(root, task="samsum", name=measure.TYPED):
    return read_json(root / f"metrics/{task}/forms.json")[task]["forms"][name]


@pytest.mark.parametrize("by_chat", [False, True])
def test_of_the_same_answers_the_difference_is_none(ran, server, capsys, by_chat):
    root = ran()
    assert measure.run(root, url(server), ["samsum"], by_chat) == 0
    of_form = entry(root, name=measure.CHAT if by_chat else measure.TYPED)
    assert (of_form["n"], of_form["differing"], of_form["no_answer"]) == (8, 0, 0)
    assert of_form["difference"]["rouge1"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "n": 8}
    assert of_form["by"] == ("chat" if by_chat else "/summarize")
    assert "0 of 8" in capsys.readouterr().out


def test_of_other_answers_it_is_told(ran, server):
    root = ran(lambda place, answer: "They meet." if place < 3 else answer)
    assert measure.run(root, url(server), ["samsum"], by_chat=False) == 0
    assert entry(root)["differing"] == 3
    assert entry(root)["difference"]["rouge1"]["mean"] < -20


def test_prices_are_measured_by_their_endpoint(ran, server, monkeypatch):
    estimates = iter([60.0] * 6 + [61.0, None])
    asked = measure._json

    def answering(url, body=None, *why):
        answer = asked(url, body)
        return {**answer, "estimate": next(estimates)} if body else answer

    monkeypatch.setattr(measure, "_json", answering)
    monkeypatch.setattr(measure, "AT_ONCE", 1)
    root = ran(price=60.0, max_no_answer=0.2)
    assert measure.run(root, url(server), ["price"], by_chat=False) == 0
    served = entry(root, "price")
    assert (served["unparsable"], served["answered"]["n"], served["differing"]) == (1, 7, 2)
    # Of the rows that both answered: one is 1 further off.
    difference = served["difference"]["mae"]
    assert (difference["n"], difference["mean"]) == (7, pytest.approx(1 / 7, abs=1e-4))


def test_prices_are_read_from_chats(ran, server, monkeypatch):
    root = ran()
    asked = measure._json

    def writing(url, body=None, *why):
        answer = asked(url, body)
        if body:
            answer["choices"][0]["message"]["content"] = "60 dollars"
        return answer

    monkeypatch.setattr(measure, "_json", writing)
    assert measure.run(root, url(server), ["price"], by_chat=True) == 0
    assert entry(root, "price", measure.CHAT)["mae"] == 6.5


def test_rows_that_a_server_refuses_are_counted(ran, server, monkeypatch):
    root = ran()
    asked = measure._json

    def refusing(address, body=None, *why):
        if body and "at 3." in str(body):
            raise measure.Refused("the prompt does not fit")
        return asked(address, body)

    monkeypatch.setattr(measure, "_json", refusing)
    assert measure.run(root, url(server), ["samsum"], by_chat=True) == 0
    assert (entry(root, name=measure.CHAT)["refused"], entry(root, name=measure.CHAT)["n"]) == (
        1,
        8,
    )


def test_a_server_of_another_adapter_or_without_the_task(ran, server, start, loaded):
    root = ran()
    file = root / "metrics/samsum/train.json"
    write_json(file, {"samsum": {"train": {"adapter_hash": "0123456789ab"}}})
    with pytest.raises(UserError, match="the predictions here are of 0123456789ab"):
        measure.run(root, url(server), ["samsum"], by_chat=False)
    prices = start(models={"price": loaded["price"]})
    with pytest.raises(UserError, match="serves no model 'samsum', but price"):
        measure.run(root, url(prices), ["samsum"], by_chat=False)


def test_predictions_of_another_run_are_refused(ran, server):
    root = ran()
    write_json(root / "metrics/samsum/tuned.json", {"samsum": {"predictions_hash": "0"}})
    with pytest.raises(UserError, match=r"tuned\.jsonl: is not what metrics/samsum/ was made of"):
        measure.run(root, url(server), ["samsum"], by_chat=False)


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
