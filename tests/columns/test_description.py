from datetime import date
from decimal import Decimal

import pytest

from finetune.columns.description import describe


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["a b", "c"], "text"),
        ([1, 2.5, Decimal("3.1")], "number"),
        (["1", "$2,000.50", "1,299"], "number"),
        (["1", "2", "3", "4", "none"], "number"),
        (["1", "two"], "other"),
        ([["a"], ["b", "c"]], "texts"),
        ([[1, 2]], "other"),
        ([True, False], "other"),
        ([b"\x00", b"\x01"], "other"),
        ([date(2024, 1, 1)], "other"),
        ([None, "", float("nan"), []], "other"),
        ([None, "", "a text"], "text"),
    ],
)
def test_a_column_is_of_the_type_of_most_of_its_values(values, type_):
    assert describe([{"x": value} for value in values])["x"].type == type_


def test_nested_values_are_columns_by_their_paths():
    columns = describe([{"id": 1, "answer": {"text": "a b c", "by": {"name": "Ann"}}}, {"id": 2}])
    assert list(columns) == ["id", "answer.text", "answer.by.name"]
    assert (columns["answer.text"].words, columns["answer.text"].filled) == (3, 0.5)


def test_what_a_column_holds_is_counted():
    column = describe([{"x": "$5"}, {"x": "$5"}, {"x": " "}, {"x": "$6"}])["x"]
    assert (column.filled, column.distinct, column.words) == (0.75, 2, 0)
    assert (column.example, column.values) == ("$5", ["$5", "$5", "$6"])


@pytest.mark.parametrize(
    ("path", "is_named"),
    [
        ("id", True), ("Artikel-Nr", True), ("meta.userId", True), ("item_guid", True),
        ("width", False), ("ideas", False), ("UID", True),
    ],
)  # fmt: skip
def test_words_in_a_path_are_told_apart_by_marks_and_capitals(path, is_named):
    assert describe([{path: 1}])[path].is_named(("id", "nr", "guid", "uid")) == is_named


def test_a_long_word_is_also_found_within_another():
    assert describe([{"unitprice": 1}])["unitprice"].is_named(["price"])
