import math

import pytest

from finetune.core.errors import FileError, UserError
from finetune.core.schema import Score
from finetune.shelf import rows
from finetune.tasks import registry
from finetune.tasks.instruction.options import InstructionScore
from finetune.tasks.math.options import MathScore

FIELDS = frozenset({"rouge1", "empty", "prediction"})


@pytest.mark.parametrize("name", ["7", "test-12", "validation-3", 13862856, "page-1"])
def test_a_number_is_its_own_id(name):
    assert rows.public_id(name) == str(name)


@pytest.mark.parametrize("name", ["Amanda", "amanda-7", "a b", "", "\ud800", "7 rue X", "1" * 19])
def test_any_other_id_is_hashed_and_its_hash_stays(name):
    hashed = rows.public_id(name)
    assert hashed.startswith("id-")
    assert len(hashed) == 19
    assert rows.public_id(hashed) == hashed
    assert rows.public_id(f"{name}x") != hashed


def test_references_are_told_apart_by_a_hash():
    one = rows.reference_hash({"reference": "a text"})
    assert one != rows.reference_hash({"reference": "another"})
    assert one != rows.reference_hash({"reference": "a text", "references": ["a text", "b"]})
    assert one == rows.reference_hash({"reference_hash": one})
    assert rows.reference_hash({"reference": 6}) == rows.reference_hash({"reference": 6.0})
    assert rows.reference_hash({"nll": 1.0}) is None


def test_a_row_keeps_its_hashes_numbers_and_flags_alone():
    row = {
        "id": "test-1",
        "reference": "a text",
        "prediction": 5.25,
        "rouge1": 1 / 3,
        "empty": False,
        "input_hash": "0123456789ab",
        "unsupported": ["Irene"],
        "comment": "a text",
    }
    reduced = rows.reduced(row, FIELDS, "x")
    assert reduced == {
        "id": "test-1",
        "reference_hash": rows.reference_hash(row),
        "input_hash": "0123456789ab",
        "prediction": 5.25,
        "rouge1": 1 / 3,
        "empty": False,
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("prediction", "a text"),
        ("rouge1", [1.0]),
        ("rouge1", math.inf),
        ("input_hash", "a text"),
        ("empty", {"a": 1}),
    ],
)
def test_a_field_that_is_no_number_is_refused_without_its_value(key, value):
    with pytest.raises(UserError, match=f"^here: '{key}' is not an id, a hash, a number") as error:
        rows.reduced({"id": "1", key: value}, FIELDS, "here")
    assert str(value) not in str(error.value)


def test_a_cluster_is_called_as_the_row_that_it_is_named_after():
    kept = rows.reduced({"id": "a title", "cluster": "a title"}, FIELDS, "here")
    assert kept["cluster"] == kept["id"] == rows.public_id("a title")


def test_a_table_gives_every_value_back_to_its_last_digit():
    table = [
        {"id": "1", "cluster": "test-7", "rouge1": 0.1 + 0.2, "n": 3, "empty": True},
        {"id": "id-0123456789abcdef", "cluster": "1", "rouge1": 1e-17, "empty": False},
    ]
    text = rows.as_table(table)
    assert rows.from_table(text, "x") == table
    assert isinstance(rows.from_table(text, "x")[0]["n"], int)
    assert rows.from_table(rows.as_table([]), "x") == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[:-1], "its last line is not complete"),
        (lambda text: text.replace("\t5.0", ""), "line 2: 1 cells for 2 columns"),
        (lambda text: text.replace("5.0", "five"), "line 2: 'rouge1' is no number"),
    ],
)
def test_a_damaged_table_is_one_line(damage, said):
    text = rows.as_table([{"id": "1", "rouge1": 5.0}])
    with pytest.raises(FileError, match=said):
        rows.from_table(damage(text), "x")


@pytest.mark.parametrize("kind", ["summarization", "price", "classification", "math"])
def test_no_text_is_a_column_of_a_metric(kind):
    columns = rows.fields(kind)
    assert not columns & {"id", "category", "answer", "unsupported", "probabilities", "samples"}
    assert "empty" in columns
    assert ("reference" in columns) == (kind == "price")  # a number there


SCORED = [
    (
        "classification",
        [{"id": "a ticket", "text": "a text", "label": label} for label in ("refund", "parcel")],
        [{"prediction": {"refund": 0.7, "parcel": 0.3}, "outside": 0.1, "unparsable": False}] * 2,
        Score(),
    ),
    (
        "math",
        [{"id": "q", "question": "a text", "answer": "so it is 5"}],
        [
            {
                "prediction": "it is 5",
                "samples": ["it is 5", "it is 6"],
                "samples_hit_length_cap": [False, False],
                "hit_length_cap": False,
                "empty": False,
            }
        ],
        MathScore(marker="####", fallback="last_number"),
    ),
    (
        "instruction",
        [{"id": "q", "instruction": "a text", "response": "a parcel", "facts": ["parcel"]}],
        [{"prediction": "the refund", "empty": False}],
        InstructionScore(stemmer=True),
    ),
]


@pytest.mark.parametrize(("kind", "asked", "answers", "options"), SCORED)
def test_of_each_kind_the_metrics_can_be_had_without_texts(kind, asked, answers, options):
    scores = registry.scores(kind)
    scored = scores.score(asked, answers, options)
    reduced = [rows.reduced(row, rows.fields(kind), "x") for row in scored]
    shelved = rows.from_table(rows.as_table(reduced), "x")
    for word in ("text", "refund", "parcel", "it is", "ticket"):
        assert word not in rows.as_table(reduced)
    of = [metric for metric in scores.METRICS if metric.is_of(scored)]
    assert of
    for metric in of:
        assert metric.score(shelved) == metric.score(scored)
