from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.inputs import card, inputs

LENGTHS = {
    length: {"train": {"mean": 2.0, "median": 2.0, "p95": 2.0, "min": 2.0, "max": 2.0}}
    for length in ("input_words", "input_characters", "target_words", "target_characters")
}
CARD = {
    "rows": {"train": 40},
    "lengths": LENGTHS,
    "measures": {},
    "groups": {"town": {"Ulm": {"train": 40}}},
    "placeholders": {},
    "sampled_rows": {"train": 40},
    "scripts": {"latin": {"train": 90}},
    "languages": {"de": {"train": 40}},
    "shift": {
        "rows_of_each": 40,
        "confidence": 0.95,
        "auc": {"input": {"mean": 0.9, "low": 0.8, "high": 0.95}},
    },
    "is_masked": True,
    "licence": "MIT",
}


def test_each_series_of_the_kind_is_drawn(kind):
    rows = {"train": [{"town": "Ulm"}, {"town": "Bonn"}], "test": [{"town": "Hof"}], "other": []}
    (figure,) = inputs("t1", TaskArtifacts(task="towns", kind=kind, rows=rows)).figures
    assert figure.heading == "Letters of a town"
    assert figure.caption == "Median: train 4, test 3."


def test_without_rows_or_counts_that_is_said(kind):
    part = inputs("t1", TaskArtifacts(task="towns", kind=kind, rows={"train": []}))
    assert part.missing == ["No prepared rows were there to draw."]
    assert part.notes == ["No counts of the data were written."]


def test_the_data_card_is_told_in_sentences_and_tables(kind):
    counts = {"train": {"rows": 40, "found_phone_numbers": 3, "kept": 40}}
    of = TaskArtifacts(task="towns", kind=kind, data_card=CARD, metrics={"data": counts})
    notes = inputs("t1", of).notes
    assert notes[1].startswith("Train and test are of different mixes")
    assert "AUC of 0.90 [0.80, 0.95]" in notes[2]
    by_title = {part.title: part for part in card(of)}
    assert by_title["Rows by town"].rows == [["Ulm", "40 (100\u00a0%)"]]
    assert by_title["Personal data"].rows == [["phone numbers", "3"]]
    assert "masked (data.mask_pii)" in by_title["Personal data"].notes[0]


def test_without_a_data_card_there_is_none(kind):
    assert card(TaskArtifacts(task="towns", kind=kind)) == []
