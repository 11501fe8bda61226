"""`finetune dataset paraphrase`: a teacher's texts in a file that `prepare` takes."""

import shlex
from pathlib import Path

import pytest
import yaml
from fake_provider import Provider, provided

from finetune import cli
from finetune.composition import compose
from finetune.core import paths
from finetune.core.errors import DataError, UserError
from finetune.core.files import read_jsonl, sha256, write_jsonl
from finetune.core.schema import Paraphrases
from finetune.core.text import input_hash
from finetune.data import paraphrases
from finetune.paraphrasing import command
from finetune.paraphrasing.command import Options

ROOT = Path(__file__).parents[2]


@pytest.fixture
def provider(monkeypatch):
    """A teacher on this machine."""
    with provided(monkeypatch, "TEACHER_KEY") as made:
        yield made


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A repository with four prepared dialogues, one of which was made of another."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(compose(ROOT, []), encoding="utf-8")
    rows = [
        {"id": str(n), "dialogue": dialogue(n), "summary": f"Tom brings {n} chairs."}
        for n in range(2, 5)
    ]
    made = {**rows[0], "id": "2/renamed-1", "made_from": "2"}
    write_jsonl(paths.prepared("samsum") / "train.jsonl", [*rows, made])
    return tmp_path


def dialogue(number: int) -> str:
    return f"Ann: Could you bring {number} chairs on Friday?\nTom: Of course, I will."


def paraphrase(number: int, end: str = "gladly") -> str:
    return f"Ann: On Friday, can you come with {number} chairs?\nTom: Yes, {end}."


def asked_number(body: dict) -> int:
    (message,) = body["messages"]
    return int(message["content"].split("bring ")[1].split(" ")[0])


def run(root: Path, provider: Provider, out: str = "texts.jsonl", **more: object) -> int:
    options = Options(Path(out), provider.url, "teacher-1", "TEACHER_KEY", **more)
    return command.run(root, "samsum", options)


def test_paraphrases_that_hold_are_written_and_the_others_counted(root, provider, capsys):
    def answer(body):
        number = asked_number(body)
        return {"content": paraphrase(9 if number == 3 else number)}

    provider.answer = answer
    assert run(root, provider) == 0
    assert read_jsonl(Path("texts.jsonl")) == [
        {
            "id": str(n),
            "text_hash": input_hash(dialogue(n)),
            "paraphrase": paraphrase(n),
            "teacher": "teacher-1",
        }
        for n in (2, 4)
    ]
    said = capsys.readouterr().out
    assert "texts.jsonl: 2 paraphrases of 3 rows" in said
    assert "1  without a name or number of its text" in said
    pinned = Paraphrases(file="texts.jsonl", sha256=sha256(Path("texts.jsonl")))
    assert f"sha256: {pinned.sha256}" in said
    assert {n: [each.paraphrase for each in of] for n, of in paraphrases.read(pinned).items()} == {
        str(n): [paraphrase(n)] for n in (2, 4)
    }
    assert all("each with its speaker" in body["messages"][0]["content"] for body in provider.chats)


def test_several_of_a_row_are_not_the_same(root, provider):
    ends = iter(["gladly", "sure", "gladly"])

    def answer(body):
        return {"content": paraphrase(asked_number(body), next(ends))}

    provider.answer = answer
    assert run(root, provider, times=3, rows=1) == 0
    texts = read_jsonl(Path("texts.jsonl"))
    assert len(texts) == 2
    assert len({row["id"] for row in texts}) == 1


def test_what_was_answered_before_a_failure_is_not_paid_again(root, provider):
    provider.answer = lambda body: {"content": paraphrase(asked_number(body))}
    refused = (400, {"error": {"message": "No.", "code": "invalid_value"}}, {})
    provider.trouble("POST chat/completions", refused)
    with pytest.raises(UserError, match="HTTP 400, No"):
        run(root, provider)
    assert not Path("texts.jsonl").exists()
    assert run(root, provider) == 0
    assert len(provider.chats) == 3


def test_nothing_is_written_where_nothing_holds(root, provider):
    provider.answer = lambda body: {"content": "I cannot help with that."}
    with pytest.raises(DataError, match=r"samsum: none of 3 rows got a paraphrase \(3 "):
        run(root, provider)
    assert not Path("texts.jsonl").exists()
    # A server that was mended is asked again.
    provider.answer = lambda body: {"content": paraphrase(asked_number(body))}
    assert run(root, provider) == 0


def test_the_line_that_trains_on_them_is_one_that_the_shell_and_hydra_read(root, provider, capsys):
    provider.answer = lambda body: {"content": paraphrase(asked_number(body))}
    out = "my texts, (1).jsonl"
    assert run(root, provider, out) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "dvc exp run" in line)
    *_, override = shlex.split(line)
    params = yaml.safe_load(compose(ROOT, [override]))
    assert params["tasks"]["samsum"]["source"]["augment"]["paraphrases"] == {
        "file": out, "sha256": sha256(Path(out)),
    }  # fmt: skip


def test_what_cannot_be_asked_for_is_one_line(root, provider, monkeypatch):
    Path("here.jsonl").write_text("{}")
    for said, changed in (
        ("here.jsonl: exists already; --force", {"out": "here.jsonl"}),
        ("--times: must be from 1 to 10", {"times": 0}),
        ("--times: must be from 1 to 10", {"times": 10**8}),
        ("--rows: must be 1 or more", {"rows": 0}),
        ("data: is a folder; name a file", {"out": "data", "force": True}),
        (r"here\.jsonl is no folder", {"out": "here.jsonl/x.jsonl"}),
    ):
        with pytest.raises(UserError, match=said):
            run(root, provider, **changed)
    options = Options(Path("x.jsonl"), provider.url, "teacher-1", "TEACHER_KEY")
    with pytest.raises(UserError, match="no task 'none'; known: samsum, price"):
        command.run(root, "none", options)
    with pytest.raises(UserError, match="not there; run `dvc repro prepare@price`"):
        command.run(root, "price", options)
    for said, rows in (("holds no rows", []), ("holds rows of another kind", [{"id": "1"}])):
        write_jsonl(paths.prepared("price") / "train.jsonl", rows)
        with pytest.raises(UserError, match=said):
            command.run(root, "price", options)
    monkeypatch.delenv("TEACHER_KEY")
    with pytest.raises(UserError, match="TEACHER_KEY is not set"):
        run(root, provider)
    assert not provider.chats


def test_the_command_line_knows_it(provider):
    given = ["dataset", "paraphrase", "samsum", "--out", "x.jsonl", "--teacher", provider.url]
    options = cli.parser().parse_args([*given, "--teacher-model", "t"])
    assert (options.action, options.task, options.times) == ("paraphrase", "samsum", 1)
    with pytest.raises(SystemExit):
        cli.parser().parse_args(given)
