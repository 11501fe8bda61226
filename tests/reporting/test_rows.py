from dataclasses import replace

from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.rows import answered_rows, both_answered, paired, score_histograms
from finetune.scoring.metrics import Metric
from finetune.scoring.ratios import ratio


def rows(*errors: float) -> list[dict]:
    return [{"id": i, "absolute_error": error} for i, error in enumerate(errors)]


def test_rows_are_paired_by_their_id(kind):
    predictions = {"base": rows(9, 8, 7), "tuned": rows(1, 2)[::-1]}
    pairs = paired(TaskArtifacts(task="towns", kind=kind, predictions=predictions))
    assert [(a["absolute_error"], b["absolute_error"]) for a, b in pairs] == [(9, 1), (8, 2)]


def test_scores_of_rows_are_drawn_for_the_models_that_were_asked(kind):
    artifacts = TaskArtifacts(
        task="towns", kind=kind, predictions={"tuned": rows(1, 2), "base": []}
    )
    (figure,) = score_histograms("t1", artifacts)
    assert figure.caption == "How mean error spreads over the test rows."
    assert 'aria-label="towns: mean error of rows; tuned mean 1.50"' in figure.svg


def test_rows_that_the_metric_does_not_count_are_in_no_figure_and_no_pair(kind):
    facts = Metric(
        key="facts", columns=("facts", "n"), title="facts", statistic=ratio, is_percentage=True
    )
    of = [{"id": 0, "facts": 0.0, "n": 0}, {"id": 1, "facts": 80.0, "n": 1}]
    artifacts = TaskArtifacts(
        task="towns",
        kind=replace(kind, metrics=(facts,)),
        predictions={"base": of, "tuned": of},
    )
    assert [row["id"] for row in answered_rows(artifacts, "tuned")] == [1]
    assert [base["id"] for base, _ in both_answered(artifacts)] == [1]
    (figure,) = score_histograms("t1", artifacts, limits=(0, 100))
    assert "tuned mean 80.00" in figure.svg


def test_rows_beyond_the_axis_have_one_of_their_own(kind):
    artifacts = TaskArtifacts(task="towns", kind=kind, predictions={"tuned": rows(1, 700)})
    (beyond,) = score_histograms("t1", artifacts, limits=(0, 100))
    (own,) = score_histograms("t1", artifacts)
    assert beyond.svg == own.svg
