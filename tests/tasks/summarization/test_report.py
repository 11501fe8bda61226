"""What the report shows of summaries; the page around it is for tests/reporting."""

from finetune.core.schema import Train
from finetune.reporting.artifacts import TaskArtifacts
from finetune.stages.report import kind
from finetune.tasks.summarization.report import REPORT, unsupported

PREDICTION = {"id": "d0", "prediction": "Ann <i>left</i>", "reference": "Ann went", "rouge1": 40.0}


def artifacts(**rows: list[dict]) -> TaskArtifacts:
    return TaskArtifacts(
        task="samsum", kind=kind("summarization"), predictions={"tuned": [PREDICTION]}, rows=rows
    )


def test_examples_are_shown_with_what_they_share_with_the_reference():
    found = REPORT.quality("t1", artifacts(test=[{"id": "d0", "dialogue": "Ann: <b>Bye</b>"}]))
    assert [figure.heading for figure in found.before_groups] == ["Row by row"]
    assert "<mark>Ann</mark> &lt;i&gt;left" in found.examples
    assert "Ann: &lt;b&gt;Bye" in found.examples
    assert "40.0" in found.examples


def test_a_dialogue_that_is_gone_is_said():
    assert "The dialogue is not there." in REPORT.quality("t1", artifacts()).examples


def test_unsupported_facts_are_counted_and_marked():
    rows = [
        PREDICTION | {"id": "d0", "unsupported": []},
        PREDICTION | {"id": "d1", "unsupported": ["Bob"], "prediction": "Bob <i>left</i>"},
        PREDICTION | {"id": "d2", "unsupported": ["5", "Bo"], "prediction": "Bo, Bob at 5:15, 5"},
    ]
    made = TaskArtifacts(
        task="samsum",
        kind=kind("summarization"),
        predictions={"tuned": rows},
        rows={"test": [{"id": "d2", "dialogue": "Ann: <b>Bye</b>"}]},
    )
    assert [(item.id, item.facts) for item in unsupported(made)] == [
        ("d2", ["5", "Bo"]), ("d1", ["Bob"]),
    ]  # fmt: skip
    html = REPORT.quality("t1", made).examples
    assert "tuned 2 of 3" in html
    assert "<mark>Bo</mark>, Bob at <mark>5</mark>:15, <mark>5</mark>" in html
    assert "<mark>Bob</mark> &lt;i&gt;left" in html
    assert "Ann: &lt;b&gt;Bye" in html


def test_without_unsupported_facts_only_their_number_is_said():
    row = PREDICTION | {"unsupported": []}
    of = TaskArtifacts(task="s", kind=kind("summarization"), predictions={"tuned": [row]})
    html = REPORT.quality("t1", of).examples
    assert "tuned 0 of 1" in html
    assert html.count('class="examples"') == 1
    # Predictions of earlier versions do not say.
    assert "nowhere in the dialogue" not in REPORT.quality("t1", artifacts()).examples


def test_lengths_are_counted_in_words():
    row = {"dialogue": "Ann: so  what", "summary": "Ann asks."}
    assert [series.value(row) for series in REPORT.series] == [3, 2]


def test_the_loss_is_explained():
    assert REPORT.loss(Train.model_construct()).startswith("Cross-entropy")
