"""What the report shows of labels; the page around it is for tests/reporting."""

import numpy as np
import pytest

from finetune.core.schema import Train
from finetune.reporting.artifacts import TaskArtifacts
from finetune.stages.report import kind
from finetune.tasks.classification import report
from finetune.tasks.classification.report import REPORT


def row(i: int, label: str, predicted: str, confidence: float = 60.0, **more: object) -> dict:
    return {
        "id": str(i), "reference": label, "prediction": predicted, "confidence": confidence,
        "correct": 100.0 * (label == predicted), **more,
    }  # fmt: skip


def artifacts(*tuned: dict, base: tuple[dict, ...] = (), **metrics: object) -> TaskArtifacts:
    return TaskArtifacts(
        task="tickets",
        kind=kind("classification"),
        metrics={"tuned": metrics},
        predictions={"tuned": list(tuned), "base": list(base)},
        rows={"test": [{"id": "9", "text": "x" * 900}, {"id": "1", "text": "<b>Hello</b>"}]},
    )


def plain(said: str) -> str:
    return said.replace("\N{NO-BREAK SPACE}", " ")


def test_the_confusion_matrix_counts_rows_by_both_labels():
    rows = [row(1, "a", "a"), row(2, "a", "a"), row(3, "a", "b"), row(4, "b", "other")]
    table = report.confusions(rows)
    assert table.head == ["true \\ predicted", "a", "b", "other"]
    assert table.rows == [["a", "2", "1", "0"], ["b", "0", "0", "1"]]


def test_of_many_labels_the_most_frequent_confusions_are_listed():
    names = [f"label {n:02}" for n in range(20)]
    right = [row(n, name, name) for n, name in enumerate(names)]
    wrong = [row(30 + n, names[3], names[5]) for n in range(3)] + [row(40, names[1], names[0])]
    table = report.confusions([*right, *wrong])
    assert table.rows == [["label 03", "label 05", "3"], ["label 01", "label 00", "1"]]


def test_mistakes_are_the_most_confident_first():
    tuned = [row(i, "a", "b", 50.0 + i) for i in range(10)] + [row(11, "a", "a", 99.0)]
    found = report.mistakes(artifacts(*tuned, base=(row(9, "a", "c", 40.0),)))
    assert [mistake.confidence for mistake in found] == [59, 58, 57, 56, 55, 54]
    assert len(found[0].text) == report.LONGEST_TEXT
    assert (found[0].base, found[0].base_confidence) == ("c", 40)
    assert (found[1].text, found[1].base) == ("", None)


def test_examples_are_shown_as_text():
    html = REPORT.quality("t1", artifacts(row(1, "a", "b", 71.4))).examples
    assert "&lt;b&gt;Hello" in html
    assert "b (71&nbsp;%)" in html
    assert "makes none" in REPORT.quality("t1", artifacts(row(1, "a", "a"))).examples


def test_calibration_is_judged_by_what_as_many_rows_would_show():
    rng = np.random.default_rng(0)
    confidences = 100 * rng.beta(4, 1, 200)
    right = rng.random(200) < confidences / 100
    calibrated = [
        row(n, "a", "a" if is_right else "b", float(confidence))
        for n, (confidence, is_right) in enumerate(zip(confidences, right, strict=True))
    ]
    wrong = [{**each, "correct": 0.0} for each in calibrated]
    (figure,) = REPORT.quality("t1", artifacts(*calibrated, base=tuple(wrong))).after_groups
    tuned, base = plain(figure.caption).split(" The calibration error of the base model is ")
    assert tuned.startswith("The calibration error of the tuned model is ")
    assert tuned.endswith("if its confidence were right, and so it may be.")
    assert base.startswith("78.9 %")
    assert "so it may be" not in base
    assert 'id="t1-reliability"' in figure.svg


def test_without_a_distribution_nothing_is_drawn():
    unparsable = row(1, "a", "b", 60.0, unparsable=True)
    found = REPORT.quality("t1", artifacts(unparsable))
    assert found.after_groups == []
    assert found.missing == ["No prediction is a distribution: calibration is not shown."]


def test_answers_that_are_no_label_are_counted():
    (said,) = REPORT.notes(artifacts(unparsable=3, n=200))
    assert plain(said) == (
        "3 of 200 (1.5 %) answers of the tuned model have no probability on any label, and count "
        "as labels are frequent in train."
    )
    assert REPORT.notes(artifacts(unparsable=0, n=200)) == []


@pytest.mark.parametrize(("text", "words"), [("", 0), ("one  two", 2)])
def test_lengths_are_counted_in_words(text, words):
    (series,) = REPORT.series
    assert series.value({"text": text}) == words


def test_the_loss_is_explained():
    assert REPORT.loss(Train.model_construct()).startswith("Cross-entropy")
