import pytest

from finetune.columns.description import describe
from finetune.core.errors import DataError, UserError
from finetune.scaffold.choosing import refuse
from finetune.scaffold.guessing import ColumnOptions, Guess, guess

LONG = "A long text of many words, which goes on and on until somebody has read all of it."
SHORT = "A text of some words."


def guessed(row: dict, **options: object) -> Guess:
    return guess(describe([row, row]), ColumnOptions(**options), refuse)


@pytest.mark.parametrize(
    ("row", "kind", "fields"),
    [
        (
            {"dialogue": LONG, "summary": SHORT},
            "summarization",
            {"dialogue": "dialogue", "summary": "summary"},
        ),
        ({"a": LONG, "b": SHORT}, "summarization", {"dialogue": "a", "summary": "b"}),
        (
            {"article": LONG, "title": "Some short words", "highlights": SHORT, "turns": 5},
            "summarization",
            {"dialogue": "article", "summary": "highlights"},
        ),
        (
            {"q": {"body": LONG}, "answers": [SHORT, SHORT]},
            "summarization",
            {"dialogue": "q.body", "summary": "answers"},
        ),
        ({"text": LONG, "price": 5, "rating": 4.5}, "price", {"text": "text", "price": "price"}),
        (
            {"text": LONG, "price": "5", "list_price": "6"},
            "price",
            {"text": "text", "price": "price"},
        ),
        ({"text": LONG, "a": "$5.00", "b": "7"}, "price", {"text": "text", "price": "a"}),
        (
            {"name": "Lamp", "Beschreibung": LONG, "Preis": 5.5, "Kategorie": "Licht"},
            "price",
            {"text": "Beschreibung", "price": "Preis", "category": "Kategorie"},
        ),
    ],
)  # fmt: skip
def test_names_and_contents_say_what_columns_are(row, kind, fields):
    assert guessed(row) == Guess(kind, fields)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": LONG, "price": 5, "summary": SHORT}, "the kind of task may be 'summarization', "),
        ({"text": LONG, "one": SHORT, "two": SHORT}, "the target of summarization may be 'one', '"),
        ({"text": LONG, "stars": 5}, "the target of price may be 'stars'; choose with --target"),
        ({"a": LONG, "b": LONG, "price": 5}, "the input of price may be 'a', 'b'; choose with "),
    ],
)
def test_a_choice_is_for_somebody_to_make(row, said):
    with pytest.raises(UserError, match=said):
        guessed(row)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"kind": "price"}, ("price", {"text": "text", "price": "price"})),
        ({"target": ["price"]}, ("price", {"text": "text", "price": "price"})),
        ({"target": ["one"]}, ("summarization", {"dialogue": "text", "summary": "one"})),
        (
            {"target": ["one", "two"], "id": "n"},
            ("summarization", {"id": "n", "dialogue": "text", "summary": ["one", "two"]}),
        ),
        (
            {"kind": "summarization", "input": "one", "target": ["text"]},
            ("summarization", {"dialogue": "one", "summary": "text"}),
        ),
    ],
)
def test_options_say_what_names_do_not(options, found):
    row = {"n": 1, "text": LONG, "one": SHORT, "two": SHORT, "price": 5}
    assert guessed(row, **options) == Guess(*found)


@pytest.mark.parametrize(
    ("row", "options", "said"),
    [
        ({"text": LONG}, {}, r"no column can be a target: .* there are 'text' \(text: A long"),
        ({"text": LONG, "on": True}, {"kind": "price"}, "no column holds amounts, such as"),
        ({"price": 5}, {}, "no column holds texts, for the input of price"),
        ({"text": LONG, "preis": "5,00 €"}, {"kind": "price"}, "no column holds amounts, such"),
    ],
)
def test_a_file_without_input_or_target_is_a_mistake(row, options, said):
    with pytest.raises(DataError, match=said):
        guessed(row, **options)
