"""What the report shows of word problems; the page around it is for tests/reporting."""

import pytest

from finetune.core.schema import Train
from finetune.reporting.artifacts import TaskArtifacts
from finetune.stages.report import kind
from finetune.tasks.math import report
from finetune.tasks.math.report import REPORT


def row(i: int, answer: str | None, text: str = "So <b>") -> dict:
    return {
        "id": i,
        "prediction": text,
        "reference": "#### 7",
        "answer": answer,
        "exact_match": 100.0 * (answer == "7"),
        "no_answer": answer is None,
    }


def artifacts(base: list[str | None], tuned: list[str | None], /, **metrics: dict) -> TaskArtifacts:
    models = {"base": base, "tuned": tuned}
    return TaskArtifacts(
        task="arithmetic",
        kind=kind("math"),
        metrics=metrics,
        predictions={name: [row(*each) for each in enumerate(of)] for name, of in models.items()},
        rows={"test": [{"id": 0, "question": "Is it <7>?", "answer": "#### 7"}]},
    )


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def scored(mean: float, low: float, high: float) -> dict:
    return {"n": 200, "gain": {"exact_match": {"mean": mean, "low": low, "high": high, "p": 0.1}}}


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        ((5.0, 1.0, 9.0), "+1.0 to +9.0, lies above zero: tuning made the model solve more of"),
        ((-5.0, -9.0, -1.0), "−9.0 to −1.0, lies below zero: tuning made the model solve fewer of"),
        ((1.0, -2.0, 4.0), "−2.0 to +4.0, includes zero: these rows do not show that tuning"),
        ((0.0, 0.0, 0.0), "0.0 to 0.0, includes zero: these rows do not show that tuning"),
    ],
)
def test_what_the_interval_shows_is_said_whichever_way_it_falls(gain, verdict):
    (note,) = REPORT.notes(artifacts([], [], tuned=scored(*gain)))
    assert note.startswith("Exact match changed by ")
    assert "from the base to the tuned model, over 200 rows; " in note
    assert verdict in note


def test_the_form_of_an_answer_is_told_from_its_number():
    base, tuned = [None, None, "7", "3"], ["7", "3", "7", "7"]
    (note,) = REPORT.notes(artifacts(base, tuned))
    assert plain(note) == (
        "No final answer was found in 2 of 4 (50 %) texts of the base model and 0 of 4 (0 %) of "
        "the tuned; both gave one in 2 rows. Only these can tell how well they calculate: to give "
        "an answer at all is its form."
    )
    (note,) = REPORT.notes(artifacts([None], ["7"]))
    assert note.endswith("so nothing compares how well they calculate.")


def test_perplexity_is_held_against_exact_match():
    (note,) = REPORT.notes(artifacts([], [], base={"perplexity": 20.5}, tuned={"perplexity": 3.25}))
    assert note.startswith("Perplexity of the references went from 20.50 to 3.25. That is what")


def test_nothing_is_said_of_what_is_not_there():
    assert REPORT.notes(artifacts([], [])) == []
    found = REPORT.quality("t1", artifacts([], ["7"]))
    assert found.missing == ["No row was predicted by both models."]
    assert found.tables == []


def test_outcomes_are_counted_for_both_models():
    of = artifacts([None, "7", "7", "3"], ["7", "7", None, "3"])
    (table,) = REPORT.quality("t1", of).tables
    assert table.head == ["base model", "tuned: right", "tuned: wrong", "tuned: no answer"]
    assert table.rows == [
        ["right", "1", "0", "1"],
        ["wrong", "0", "1", "0"],
        ["no answer", "1", "0", "0"],
    ]


def test_problems_whose_outcome_changed_are_shown_as_text():
    of = artifacts([None, "7", "3"], ["7", "8", "3"])
    html = plain(REPORT.quality("t1", of).examples)
    for title in ("the tuned model only", "the base model only", "neither"):
        assert f"Solved by {title}: 1 of 3 (33.3 %)" in html
    assert "Is it &lt;7&gt;?" in html
    assert "So &lt;b&gt;" in html
    assert "8, wrong" in html
    assert "no answer" in html
    assert "The question is not there." in html


def test_problems_that_both_solve_are_no_examples():
    html = REPORT.quality("t1", artifacts(["7"], ["7"])).examples
    assert "No problem was solved by one model alone or by neither." in html
    assert report.outcome(row(0, "7")) == "right"


def test_lengths_are_counted_in_words_and_the_loss_is_explained():
    lengths = {"question": "How many now?", "answer": "3 + 4 = 7\n#### 7"}
    assert [series.value(lengths) for series in REPORT.series] == [3, 7]
    assert REPORT.loss(Train.model_construct()).startswith("Cross-entropy")
