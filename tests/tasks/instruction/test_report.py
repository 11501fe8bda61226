"""What the report shows of responses; the page around it is for tests/reporting."""

from finetune.core.schema import Train
from finetune.reporting.artifacts import TaskArtifacts
from finetune.stages.report import kind
from finetune.tasks.instruction.report import REPORT

ROW = {"id": "a", "instruction": "Who <b>left</b>?", "context": "Ann left.", "response": "Ann did."}


def prediction(i: str = "a", **more: object) -> dict:
    known = {"prediction": "Ann <i>left</i>", "reference": "Ann did.", "rouge1": 40.0}
    return {"id": i, **known, **more}


def artifacts(*tuned: dict, rows: tuple[dict, ...] = (ROW,), **models: list[dict]) -> TaskArtifacts:
    return TaskArtifacts(
        task="instructions",
        kind=kind("instruction"),
        predictions={"tuned": list(tuned), **models},
        rows={"test": list(rows)},
    )


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_examples_show_the_whole_prompt_and_what_is_shared_with_the_reference():
    found = REPORT.quality("t1", artifacts(prediction()))
    assert [figure.heading for figure in found.before_groups] == ["Row by row"]
    assert "Who &lt;b&gt;left&lt;/b&gt;?\n\nAnn left." in found.examples
    assert "<mark>Ann</mark> &lt;i&gt;left" in found.examples
    assert "40.0" in found.examples
    assert found.tables == []


def test_a_prompt_that_is_gone_is_said():
    html = REPORT.quality("t1", artifacts(prediction(), rows=())).examples
    assert "The prompt is not there." in html


def test_facts_are_counted_over_the_rows_that_list_some():
    def rated(i: str, rate: float, lists: int = 1) -> dict:
        return prediction(i, facts_found=rate, lists_facts=lists)

    tuned = [rated("a", 100), rated("b", 50), rated("c", 0), rated("d", 0, lists=0)]
    (table,) = REPORT.quality("t1", artifacts(*tuned, base=[rated("a", 0)])).tables
    assert table.head == ["facts in the answer", "base model", "tuned"]
    assert [[plain(cell) for cell in cells] for cells in table.rows] == [
        ["all", "0 of 1 (0 %)", "1 of 3 (33.3 %)"],
        ["some", "0 of 1 (0 %)", "1 of 3 (33.3 %)"],
        ["none", "1 of 1 (100 %)", "1 of 3 (33.3 %)"],
    ]


def test_what_nothing_supports_is_listed_by_how_often():
    tuned = [prediction("a", unsupported=["12", "Tom"]), prediction("b", unsupported=["12"])]
    base = [prediction("a", unsupported=["Tom"])]
    (table,) = REPORT.quality("t1", artifacts(*tuned, base=base)).tables
    assert table.rows == [["in all", "1", "3"], ["12", "0", "2"], ["Tom", "1", "1"]]
    assert REPORT.quality("t1", artifacts(prediction())).tables == []


def test_lengths_are_counted_in_words_and_the_loss_is_explained():
    assert [series.value(ROW) for series in REPORT.series] == [4, 2]
    assert REPORT.loss(Train.model_construct()).startswith("Cross-entropy")
