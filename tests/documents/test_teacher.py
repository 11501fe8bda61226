"""What a teacher writes: its replies read, its quotations found, bad pairs refused and counted."""

import json
from pathlib import Path

import pytest
from fake_provider import failing, provided

from finetune.composition import compose
from finetune.core.errors import UserError
from finetune.documents import command, teacher
from finetune.documents.passages import Passage

ROOT = Path(__file__).parents[2]
TEXT = "A run that was killed resumes at its last checkpoint. It takes 16 GB of memory."
SECTION = Passage("section", "manual.md", ("Manual", "Interrupted runs"), TEXT)
GOOD = {
    "question": "Where does an interrupted run resume?",
    "answer": "resumes at its last checkpoint",
}


@pytest.fixture
def provider(monkeypatch):
    """A teacher on this machine."""
    with provided(monkeypatch, "TEACHER_KEY") as made:
        yield made


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with three documents and parameters, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(compose(ROOT, []), encoding="utf-8")
    for name in ("a", "b", "c"):
        (tmp_path / "docs").mkdir(exist_ok=True)
        text = f"# Manual {name}\n\n## Interrupted runs\n\n{TEXT} See {name * 9}.\n"
        (tmp_path / f"docs/{name}.md").write_text(text)
    return tmp_path


def problem(question: str, answer: str) -> str | None:
    return teacher.problem(question, teacher.quoted(answer, TEXT), SECTION, {"asked before?"})


def test_a_quotation_is_found_as_the_text_has_it():
    assert (
        teacher.quoted("resumes at its last checkpoint", TEXT) == "resumes at its last checkpoint"
    )
    assert teacher.quoted("“RESUMES  at its\nlast checkpoint.”", TEXT) == (
        "resumes at its last checkpoint."
    )
    assert teacher.quoted("don't", "We don’t know.") == "don’t"
    for other in ("resumes at the last checkpoint", "sum", "", "   ", "6 GB"):
        assert teacher.quoted(other, TEXT) is None


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("Where does an interrupted run resume?", "at its last checkpoint", None),
        ("How much memory does a run take?", "16 GB", None),
        ("Where does a run resume?", "at the first step", "answers that do not stand in"),
        ("Is 16 GB enough memory?", "16 GB", "questions that say their answer"),
        ("What colour has the sky?", "16 GB", "questions of other words than their section"),
        ("Why?", "16 GB", "questions of other words than their section"),
        ("Asked before?", "16 GB", "questions that were asked already"),
        ("", "16 GB", "entries without a question"),
    ],
)
def test_a_pair_holds_or_is_refused_with_why(question, answer, said):
    found = problem(question, answer)
    assert found is None if said is None else str(found).startswith(said)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (json.dumps([GOOD]), [tuple(GOOD.values())]),
        (f"Sure:\n```json\n{json.dumps([GOOD])}\n```", [tuple(GOOD.values())]),
        (json.dumps({"pairs": [GOOD]}), [tuple(GOOD.values())]),
        ('[{"question": 3, "answer": null}, "x"]', [("", ""), ("", "")]),
        ("I cannot do that.", None),
        ("[1, 2", None),
        ("[]", None),
        ("", None),
        ("[" * 100_000 + "]" * 100_000, None),
    ],
)
def test_replies_are_read_or_are_none(reply, expected):
    assert teacher.parsed(reply) == expected


def run(root, provider, **more):
    options = command.Options(
        out=root / "out",
        teacher=provider.url,
        teacher_model="teacher-1",
        key_variable="TEACHER_KEY",
        near=1.0,
        **more,
    )
    return command.run(root, [root / "docs"], options)


def test_a_teacher_writes_the_questions_of_sections(root, provider, capsys):
    def answer(body):
        (message,) = body["messages"]
        assert "Document: docs/" in message["content"]
        assert "Heading: Manual" in message["content"]
        name = message["content"].split("Document: docs/")[1][0]
        own = {"question": f"What does an interrupted run of {name * 9} take?", "answer": "16 GB"}
        wrong = {"question": "Where does a run resume?", "answer": "at its first checkpoint"}
        return {"content": json.dumps([own, wrong])}

    provider.answer = answer
    assert run(root, provider) == 0
    rows = [
        json.loads(line)
        for split in ("train", "validation", "test")
        for line in (root / f"out/{split}.jsonl").read_text().splitlines()
    ]
    assert {row["response"] for row in rows} == {"16 GB"}
    assert {row["file"] for row in rows} == {"docs/a.md", "docs/b.md", "docs/c.md"}
    assert all(row["section"].startswith(TEXT) for row in rows)
    (body, *_) = provider.chats
    assert (body["model"], body["temperature"]) == ("teacher-1", 0.0)
    said = capsys.readouterr().out
    assert "3  answers that do not stand in the section" in said
    record = json.loads((root / "out/documents.json").read_text())
    assert record["refused_of_teacher"] == {"answers that do not stand in the section": 3}


def test_what_was_answered_before_a_failure_is_not_asked_again(root, provider):
    provider.answer = lambda body: {"content": json.dumps([GOOD])}
    refused = (400, {"error": {"message": "No.", "code": "invalid_value"}}, {})
    provider.trouble("POST chat/completions", refused)
    with pytest.raises(UserError, match="HTTP 400, No"):
        run(root, provider)
    assert not (root / "out").exists()
    answered = len(provider.chats)
    # Of three sections with the same question the first one keeps it.
    with pytest.raises(UserError, match="takes three that give pairs, and there are 1"):
        run(root, provider)
    assert len(provider.chats) == 3
    assert answered < 3
    # Nor what was answered before an error that has nothing to do with the teacher.
    with pytest.raises(UserError, match="takes three that give pairs"):
        run(root, provider)
    assert len(provider.chats) == 3


def test_a_teacher_that_is_overloaded_is_asked_again(root, provider):
    provider.answer = lambda body: {"content": "no list"}
    provider.trouble("POST chat/completions", failing(), failing())
    with pytest.raises(UserError, match="no pairs in 3 documents"):
        run(root, provider)
    assert len(provider.chats) == 3


def test_mistakes_are_one_line_before_anything_is_sent(root, provider, monkeypatch):
    with pytest.raises(UserError, match="--teacher-model: is not given"):
        command.run(root, [root / "docs"], command.Options(root / "out", teacher=provider.url))
    monkeypatch.delenv("TEACHER_KEY")
    with pytest.raises(UserError, match="--key-variable: the environment variable TEACHER_KEY"):
        run(root, provider)
    provider.url = "http://example.com/v1"
    with pytest.raises(UserError, match=r"--teacher: is 'http://example\.com/v1', must begin"):
        run(root, provider)
    assert provider.requests == []
