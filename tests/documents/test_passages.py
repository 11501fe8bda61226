"""Sections, questions and definitions of a document's blocks, and what is left out."""

from collections import Counter

import pytest

from finetune.documents import markdown
from finetune.documents.blocks import Block, Parsed
from finetune.documents.passages import Bounds, Passage, is_question, passages
from finetune.documents.reading import Document

TEXT = """\
before any heading

# Manual

The first paragraph of the manual says this.

## Runs

### Interrupted runs

A killed run resumes at its last checkpoint.

- one
- two

### Short

Yes.

### How long does it take?

It takes some ten minutes on two cores.

**Is it free?**

It is, under the licence of the project.

- **Checkpoint**: what a run continues from

## Code

Run this command in the repository:

```sh
dvc repro
```
"""


def found(text: str = TEXT, *, left_out: Counter[str] | None = None, **bounds: object):
    document = Document("manual.md", markdown.parse(text))
    limits = Bounds(**{"min_words": 5, "max_words": 300} | bounds)
    return passages(document, limits, Counter() if left_out is None else left_out)


def test_a_section_is_a_heading_and_the_text_up_to_the_next():
    sections = {p.headings: p.text for p in found() if p.kind == "section"}
    assert sections == {
        ("Manual",): "The first paragraph of the manual says this.",
        ("Manual", "Runs", "Interrupted runs"): (
            "A killed run resumes at its last checkpoint.\n\n- one\n- two"
        ),
        ("Manual", "Code"): ("Run this command in the repository:\n\n```\ndvc repro\n```"),
    }


def test_questions_of_the_document_are_answered_by_what_follows():
    asked = {p.asked: p.text for p in found() if p.kind == "faq"}
    assert asked == {
        "How long does it take?": "It takes some ten minutes on two cores.",
        "Is it free?": (
            "It is, under the licence of the project.\n\n- Checkpoint: what a run continues from"
        ),
    }


def test_definitions_are_pairs_of_their_own():
    (definition,) = [p for p in found() if p.kind == "definition"]
    assert (definition.asked, definition.text) == ("Checkpoint", "what a run continues from")
    assert definition.headings == ("Manual", "Runs", "How long does it take?")


def test_what_is_left_out_is_counted():
    left_out: Counter[str] = Counter()
    found(left_out=left_out, max_words=7, leave_out=["code"])
    assert +left_out == {
        "texts without a heading": 1,
        "headings without a text of their own": 1,
        "section: shorter than 5 words": 1,
        "section: longer than 7 words": 2,
        "faq: longer than 7 words": 2,
        "code blocks": 1,
    }


def test_a_long_text_can_end_after_a_paragraph():
    left_out: Counter[str] = Counter()
    text = "# A\n\nOne two three four five.\n\nAs follows:\n\n```\nlong code of some words\n```\n"
    (shortened,) = found(text, left_out=left_out, max_words=8, shorten=True)
    assert shortened.text == "One two three four five."
    assert shortened.whole.endswith("```")
    assert left_out["ends of texts that are longer, by --shorten"] == 1
    # One long paragraph cannot be shortened.
    assert found("# A\n\n" + "word " * 20, max_words=8, shorten=True) == []


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("2.1 Keys", "Keys"),
        ("2. Keys", "Keys"),
        ("2 Keys", "Keys"),
        ("1.2. What is it for?", "What is it for?"),
        ("3 keys of ours", "3 keys of ours"),
        ("2026", "2026"),
        ("3.11", "3.11"),
    ],
)
def test_the_number_of_a_heading_is_none_of_its_words(heading, expected):
    (passage,) = found(f"# {heading}\n\nOne two three four five.")
    assert passage.headings == (expected,)


def test_a_document_of_many_paragraphs_takes_no_time():
    blocks = [Block("heading", "A", level=1), *[Block("paragraph", "some words")] * 50_000]
    (passage,) = passages(Document("a.txt", Parsed(blocks)), Bounds(5, 9, shorten=True), Counter())
    assert passage.words == 8


def test_pages_are_those_of_the_headings():
    blocks = [
        Block("heading", "A", level=1, page=2),
        Block("paragraph", "one two three four five", page=2),
        Block("paragraph", "and more", page=3),
    ]
    (passage,) = passages(Document("a.pdf", Parsed(blocks)), Bounds(5, 99), Counter())
    assert passage == Passage(
        "section", "a.pdf", ("A",), "one two three four five\n\nand more", page=2
    )


def test_what_a_question_is():
    assert is_question("Is it free?")
    assert not is_question("Why?")  # alone it asks nothing
    assert not is_question("It is free.")
