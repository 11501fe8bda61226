"""Rows of passages: provenance, contexts, near-duplicates."""

from collections import Counter

from finetune.documents import pairs, repeats
from finetune.documents.passages import Passage
from finetune.tasks.instruction import rows

NEAR = repeats.options(0.8)
LONG = "The run that was killed resumes at the last checkpoint which it has saved to its folder."


def section(text: str, *headings: str, document: str = "a.md", **more) -> Passage:
    return Passage("section", document, headings or ("Manual", "Runs"), text, **more)


def test_a_row_says_where_it_came_from_and_is_one_of_the_kind():
    passage = section("It begins.", "Manual", "Runs", page=3, whole="It begins. And goes on.")
    (pair,) = pairs.pairs([passage], 1, 0, None)
    row = pair.row()
    assert row == {
        "id": pair.id,
        "instruction": pair.instruction,
        "response": "It begins.",
        "section": "It begins. And goes on.",
        "made_of": "section",
        "file": "a.md",
        "heading": "Manual > Runs",
        "page": 3,
    }
    assert rows.clean(row).section == "It begins. And goes on."
    assert "section" not in pairs.pairs([section("It begins.")], 1, 0, None)[0].row()


def test_no_question_stands_there_twice():
    passages = [section("One text.", "Limits"), section("One text.", "Limits", document="b.md")]
    asked = [pair.instruction for pair in pairs.pairs([*passages, passages[0]], 1, 0, None)]
    assert len(asked) == len(set(asked)) == 3 or len(asked) == 2
    assert asked[0] != asked[1]
    assert "(b.md)" in asked[1]


def test_ids_change_with_the_text_alone():
    one, other = (pairs.pairs([section(text)], 1, 0, None)[0].id for text in ("One.", "Two."))
    assert one != other
    assert one == pairs.pairs([section("One.")], 1, 0, None)[0].id


def test_a_context_holds_the_answer_among_its_neighbours():
    passages = [section(f"{LONG} {n} {n}", "Manual", f"Part {n}") for n in range(20)]
    made = pairs.pairs([*passages, section("Other.", document="b.md")], 1, 60, None)
    for pair in made:
        assert pair.response in pair.context
        assert len(pair.context.split()) <= 60 + 4 * 3  # with the headings
        assert ("Other." in pair.context) == (pair.passage.document == "b.md")
    # Not always at its beginning.
    assert len({pair.context.index(pair.response) for pair in made}) > 2
    # A passage that is longer than the context stands alone.
    assert pairs.pairs(passages, 1, 2, None)[3].context == f"Part 3\n{passages[3].text}"


def test_a_definition_has_the_section_that_it_stands_in_as_context():
    around = section("Words: a term is a word. Another one is none.", "Manual", "Words")
    term = Passage("definition", "a.md", ("Manual", "Words"), "a word", "term")
    (_, pair) = pairs.pairs([around, term], 1, 50, None)
    assert pair.context == f"Words\n{around.text}"


def test_passages_that_are_nearly_alike_are_dropped_and_counted():
    left_out: Counter[str] = Counter()
    passages = [
        section(LONG),
        section(f"{LONG} Really.", document="b.md"),
        section("Something else entirely stands here, in words of its own."),
    ]
    kept = pairs.distinct(passages, NEAR, left_out)
    assert kept == [passages[0], passages[2]]
    assert left_out == {"near-duplicates of an earlier passage": 1}


def test_a_text_is_compared_with_those_before_it_and_with_known_ones():
    texts = ["other words stand here now", LONG, f"{LONG} Really.", LONG]
    assert [found and found[0] for found in repeats.earlier(texts, NEAR)] == [None, None, 1, 1]
    assert [found and found[0] for found in repeats.earlier(texts, NEAR, ["x y z", LONG])] == [
        None, -1, -1, -1,
    ]  # fmt: skip
    assert repeats.earlier([LONG], NEAR, [LONG])[0] == (-1, 1.0)


def test_a_teacher_asks_of_sections_alone():
    passages = [section("A text of words."), Passage("faq", "a.md", ("M",), "Yes, it is.", "Free?")]

    def ask(sections):
        assert list(sections) == passages[:1]
        return [[("What are words?", "A text")]]

    made = pairs.pairs(passages, 3, 0, ask)
    assert [(p.instruction, p.response) for p in made] == [
        ("What are words?", "A text"),
        ("Free?", "Yes, it is."),
    ]
    assert made[0].row()["section"] == "A text of words."
