"""Rows without answers: the input is the file's, what it should be answered with nobody's."""

import json

import pytest

from finetune.core.errors import DataError
from finetune.core.source_params import Files
from finetune.predicting import unlabelled
from finetune.tasks import registry

RAW = {
    "summarization": {"dialogue": "Anna: Hi", "summary": "Anna says hi."},
    "price": {"text": "A lamp", "price": 12.0, "category": "light"},
    "classification": {"text": "It is broken", "label": "bug"},
    "instruction": {"instruction": "Say hi", "response": "Hi", "context": "a letter"},
    "math": {"question": "What is 2 and 2?", "answer": "2 + 2\n#### 4"},
}


@pytest.fixture
def rows(tmp_path):
    """The rows that JSON lines come to for a kind."""

    def made(kind: str, given: list[dict], columns: dict[str, str] | None = None) -> list:
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in given))
        files = Files(folder="f", splits={"train": "t", "test": "t"}, fields=columns or {})
        template = registry.rows(kind).clean({"id": "template", **RAW[kind]})
        known = registry.options(kind).Task.fields
        return unlabelled.rows(file, registry.rows(kind), known, files, template)

    return made


def test_every_kind_is_here():
    assert sorted(RAW) == registry.names()


@pytest.mark.parametrize("kind", RAW)
def test_an_input_alone_makes_a_row(rows, kind):
    field = registry.options(kind).Task.fields.input
    one, other = rows(kind, [{field: "Some text"}, {field: "More", "id": "b"}])
    assert (one.id, one.input) == ("line 1", "Some text")
    assert (other.id, other.input) == ("b", "More")  # without the template's context


def test_an_empty_cell_is_no_id(rows):
    (row,) = rows("price", [{"text": "A lamp", "id": ""}])
    assert row.id == "line 1"


def test_an_answer_in_the_file_is_not_looked_at(rows):
    (row,) = rows("classification", [{"text": "It is broken", "label": ["no label"]}])
    assert row.label == "bug"


def test_columns_are_called_as_in_the_config_or_as_the_fields(rows):
    columns = {"id": "key", "text": "description"}
    one, other = rows(
        "price", [{"description": "A", "key": "a"}, {"text": "B", "id": "b"}], columns
    )
    assert (one.id, one.input, other.id, other.input) == ("a", "A", "b", "B")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([{"text": "A"}, {"title": "B"}], r"rows.jsonl: line 2: has no text \(column text\)"),
        ([{"text": 7}], "line 1: text is 7"),
        ([{"text": "A", "id": "a"}, {"text": "B", "id": "a"}], "line 2: the id a stands twice"),
        ([], "holds no rows"),
    ],
)
def test_a_bad_row_is_one_line(rows, given, message):
    with pytest.raises(DataError, match=message):
        rows("price", given)
