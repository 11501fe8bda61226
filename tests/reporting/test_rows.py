from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.rows import paired, score_histograms


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
