import pytest

from finetune.reporting import examples
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.examples import shared_words, text_examples


@pytest.fixture
def chats(kind):
    """Artifacts of rows with these errors."""

    def made(*errors: float) -> TaskArtifacts:
        tuned = [
            {"id": f"d{i}", "prediction": "Ann left", "reference": "Ann went", "absolute_error": of}
            for i, of in enumerate(errors)
        ]
        return TaskArtifacts(
            task="chats",
            kind=kind,
            predictions={"tuned": tuned, "base": [{**row, "absolute_error": 5.0} for row in tuned]},
            rows={"test": [{"id": row["id"], "dialogue": f"of {row['id']}"} for row in tuned]},
        )

    return made


@pytest.mark.parametrize(
    ("errors", "shown"),
    [
        ((90, 10, 60, 70, 50), [("Best row", "d1"), ("Middle row", "d2"), ("Worst row", "d0")]),
        ((90, 10), [("Best row", "d1"), ("Worst row", "d0")]),
        ((10,), [("The only row", "d0")]),
        ((7, 7, 7), [("Best row", "d0"), ("Middle row", "d1"), ("Worst row", "d2")]),
        ((), []),
    ],
)
def test_best_middle_and_worst_are_shown(chats, errors, shown):
    found = text_examples(chats(*errors), "dialogue")
    assert [(example.title, example.id) for example in found] == shown


def test_an_example_has_its_input_both_answers_and_what_they_share(chats):
    (example,) = text_examples(chats(10), "dialogue", mark=shared_words)
    assert example.input == "of d0"
    assert example.tuned == [("Ann", True), (" left", False)]
    assert (example.base_score, example.tuned_score) == (5, 10)
    (example,) = text_examples(chats(10), "dialogue")
    assert example.tuned == [("Ann left", False)]


def test_an_empty_answer_has_nothing_to_show():
    assert examples.plain({"prediction": ""}) == []
    assert shared_words({"prediction": "", "reference": "Ann"}) == []


def test_an_example_of_several_references_is_marked_by_the_one_it_shares_most_with(chats):
    artifacts = chats(10)
    artifacts.predictions["tuned"][0]["references"] = ["Ann went", "Ann left early"]
    (example,) = text_examples(artifacts, "dialogue", mark=shared_words)
    assert example.references == ["Ann went", "Ann left early"]
    assert example.tuned == [("Ann left", True)]


def test_an_example_does_without_the_base_model_and_the_input(chats):
    artifacts = chats(10)
    artifacts.predictions["base"].clear()
    artifacts.rows.clear()
    (example,) = text_examples(artifacts, "dialogue")
    assert (example.base_score, example.input) == (None, "")


def test_a_long_text_ends_in_an_ellipsis():
    assert examples.shortened("abc def", 5) == "abc…"
    assert examples.shortened("abc", 3) == "abc"
