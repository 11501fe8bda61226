import pytest

from finetune.reporting import examples
from finetune.reporting.material import Material


def chats(*points: float) -> Material:
    tuned = [
        {"id": f"d{i}", "prediction": "Ann left", "reference": "Ann went", "rouge1": score}
        for i, score in enumerate(points)
    ]
    rows = [{"id": row["id"], "dialogue": f"of {row['id']}"} for row in tuned]
    bases = [{**row, "rouge1": 5.0} for row in tuned]
    predictions = {"tuned": tuned, "base": bases}
    return Material("chats", "summarization", predictions=predictions, rows={"test": rows})


@pytest.mark.parametrize(
    ("points", "shown"),
    [
        ((10, 90, 40, 30, 50), [("Best row", "d1"), ("Middle row", "d2"), ("Worst row", "d0")]),
        ((10, 90), [("Best row", "d1"), ("Worst row", "d0")]),
        ((10,), [("The only row", "d0")]),
        ((7, 7, 7), [("Best row", "d0"), ("Middle row", "d1"), ("Worst row", "d2")]),
        ((), []),
    ],
)
def test_best_middle_and_worst_are_shown(points, shown):
    assert [(e.title, e.id) for e in examples.summaries(chats(*points))] == shown


def test_an_example_has_its_dialogue_both_answers_and_what_they_share():
    (example,) = examples.summaries(chats(10))
    assert example.dialogue == "of d0"
    assert example.tuned == [("Ann", True), (" left", False)]
    assert (example.base_score, example.tuned_score) == (5, 10)


def test_an_example_of_several_references_is_marked_by_the_one_it_shares_most_with():
    material = chats(10)
    material.predictions["tuned"][0]["references"] = ["Ann went", "Ann left early"]
    (example,) = examples.summaries(material)
    assert example.references == ["Ann went", "Ann left early"]
    assert example.tuned == [("Ann left", True)]


def test_an_example_does_without_the_base_model_and_the_dialogue():
    material = chats(10)
    material.predictions["base"].clear()
    material.rows.clear()
    (example,) = examples.summaries(material)
    assert (example.base_score, example.dialogue) == (None, "")


def test_misses_are_the_largest_errors_first():
    tuned = [
        {"id": i, "prediction": 1.0, "reference": 1.0 + i, "absolute_error": float(i)}
        for i in range(10)
    ]
    rows = [{"id": 9, "text": "x" * 900, "category": None}]
    material = Material("price", "price", predictions={"tuned": tuned}, rows={"test": rows})
    found = examples.misses(material)
    assert [miss.error for miss in found] == [9, 8, 7, 6, 5, 4]
    assert found[0].text.endswith("x…")
    assert len(found[0].text) == examples.LONGEST_DESCRIPTION
    assert (found[1].text, found[1].base) == ("", None)
