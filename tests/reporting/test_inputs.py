from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.inputs import inputs


def test_each_series_of_the_kind_is_drawn(kind):
    rows = {"train": [{"town": "Ulm"}, {"town": "Bonn"}], "test": [{"town": "Hof"}], "other": []}
    (figure,) = inputs("t1", TaskArtifacts(task="towns", kind=kind, rows=rows)).figures
    assert figure.heading == "Letters of a town"
    assert figure.caption == "Median: train 4, test 3."


def test_without_rows_or_counts_that_is_said(kind):
    part = inputs("t1", TaskArtifacts(task="towns", kind=kind, rows={"train": []}))
    assert part.missing == ["No prepared rows were there to draw."]
    assert part.notes == ["No counts of the data were written."]
