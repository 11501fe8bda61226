"""Questions of passages: stable, of the right form, as many as asked for."""

import pytest

from finetune.documents.passages import Passage
from finetune.documents.questions import questions


def passage(*headings: str, kind="section", asked: str = "", text: str = "Some text.") -> Passage:
    return Passage(kind, "docs/manual.md", headings, text, asked)


def test_the_same_passage_gets_the_same_questions():
    one = list(questions(passage("Manual", "Interrupted runs"), 2))
    assert one == list(questions(passage("Manual", "Interrupted runs"), 2))
    assert len(set(one)) == 2
    assert one[:1] == list(questions(passage("Manual", "Interrupted runs"), 1))
    firsts = {next(questions(passage("M", "Runs", text=f"{n}"), 1)) for n in range(40)}
    assert len(firsts) == 4  # another text, another of the templates


@pytest.mark.parametrize(
    ("headings", "parts"),
    [
        (("Manual", "Keys"), ("“Keys”", "“Manual”")),
        (("Manual", "Runs", "Keys"), ("“Keys”", "“Manual: Runs”")),
        (("Manual",), ("“Manual”",)),
        (("Manual", "Add a task"), ("add a task", "“Manual”")),
        (("Manual", "How it works"), (" how it works", "“Manual”")),
        (("How it works",), (" how it works", "“docs/manual.md”")),
    ],
)
def test_a_question_names_the_heading_and_its_page(headings, parts):
    for question in questions(passage(*headings), 4):
        assert all(part in question for part in parts), question


def test_a_term_is_asked_for():
    asked = list(questions(passage("Manual", "Words", kind="definition", asked="`lora.r`"), 9))
    assert len(asked) == 3
    assert all("“`lora.r`”" in question for question in asked)


def test_what_a_document_asks_itself_is_taken_as_it_is():
    own = passage("Manual", kind="faq", asked="Is it free?")
    assert list(questions(own, 3)) == ["Is it free?"]
