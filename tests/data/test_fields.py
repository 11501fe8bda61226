import pytest

from finetune.data.fields import MISSING, at, joined, lacking, take

ROW = {
    "id": 7,
    "answer": {"text": "yes", "by": {"name": "Ann"}},
    "answers": [{"text": "one"}, {"text": "two"}],
    "question.text": "literal",
    "question": {"text": "nested"},
    "none": None,
    "blob": b"\x00",
}
WANTED = ("id", "dialogue", "summary", "category")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", 7),
        ("answer.text", "yes"),
        ("answer.by.name", "Ann"),
        ("answers.1.text", "two"),
        ("answers.0", {"text": "one"}),
        ("question.text", "literal"),
        ("none", None),
        ("none.text", MISSING),
        ("answer.txt", MISSING),
        ("answers.2.text", MISSING),
        ("answers.-1.text", MISSING),
        ("answers.first", MISSING),
        ("id.text", MISSING),
        ("answer.", MISSING),
        ("nope", MISSING),
    ],
)
def test_a_dotted_path_leads_into_a_row_and_a_column_of_that_name_comes_first(path, value):
    assert at(ROW, path) is value or at(ROW, path) == value


def taken(optional: frozenset[str] = frozenset({"category"}), **fields: str | list[str]) -> dict:
    return take(ROW, fields, WANTED, optional)


def test_fields_come_in_our_names_and_those_not_mapped_do_not():
    assert taken(dialogue="answer.text", summary="question.text") == {
        "dialogue": "yes",
        "summary": "literal",
    }


def test_a_path_that_leads_nowhere_breaks_the_row_and_is_named():
    row = taken(id="id", dialogue="answer.body", summary="nope")
    assert row == {
        "broken": "dialogue is missing: the row has no 'answer.body'; "
        "summary is missing: the row has no 'nope'",
        "id": 7,
        "dialogue": None,
        "summary": None,
    }


def test_what_may_be_missing_or_is_judged_by_its_own_name_breaks_nothing():
    assert taken(category="kind", dialogue="dialogue") == {"category": None, "dialogue": None}


def test_several_paths_give_all_texts_that_are_there():
    assert taken(summary=["answers.0.text", "nope", "none", "answers.1.text"])["summary"] == [
        "one",
        "two",
    ]
    row = taken(summary=["nope", "none"])
    assert row["broken"] == "summary is missing: the row has no 'nope' or 'none'"


def test_bytes_are_no_text():
    assert taken(dialogue="blob") == {
        "broken": "dialogue is binary, must be text",
        "dialogue": None,
    }


def test_a_path_that_begins_with_no_column_is_lacking():
    fields = {"id": "id", "dialogue": "answer.text", "summary": ["a.b", "c", "question.text"]}
    assert lacking(fields, ["id", "answer", "question.text", "c.d"]) == ["a.b", "c"]


def test_the_parts_of_a_joined_field_are_lines_of_one_text():
    taken = {
        "text": ["Lamp", ["Bright.", "", None], [], {"Brand": "Acme", "Size": ["1", 2], "Of": {}}],
        "price": [1, 2],
        "category": None,
    }
    assert joined(taken, {"text", "category"}) == {
        "text": "Lamp\nBright.\nBrand: Acme\nSize: 1 2",
        "price": [1, 2],
        "category": None,
    }


@pytest.mark.parametrize("value", ["a text", 5, None, ""])
def test_what_is_no_list_is_left_to_the_kind(value):
    assert joined({"text": value}, {"text"}) == {"text": value}
