import itertools
import random

import pytest

from finetune.scoring import summary
from finetune.tasks.summarization import scores
from finetune.tasks.summarization.baselines import BASELINES
from finetune.tasks.summarization.options import SummaryScore
from synthetic.rows import dialogues

SUMMARY = SummaryScore(stemmer=True)


def answers(*texts: str) -> list[dict]:
    return [{"prediction": text} for text in texts]


def test_summaries_are_scored_row_by_row():
    rows = [
        {"id": "1", "dialogue": "", "summary": "the cat sat on the mat"},
        {"id": "2", "dialogue": "", "summary": "a dog"},
    ]
    first, second = scores.score(rows, answers("the cat sat", ""), SUMMARY)
    assert first == {
        "id": "1",
        "prediction": "the cat sat",
        "reference": "the cat sat on the mat",
        "rouge1": 66.6667,
        "rouge2": 57.1429,
        "rougeL": 66.6667,
        "rougeLsum_by_sentence": 66.6667,
        "prediction_words": 3,
        "reference_words": 6,
        "unsupported": [],
        "has_unsupported": 0,
    }
    assert (second["id"], second["prediction"], second["rouge1"]) == ("2", "", 0)


def test_a_row_with_several_references_has_them_all_and_the_best_scores():
    references = ["a dog ran", "the cat sat"]
    rows = [{"id": "1", "dialogue": "", "summary": "a dog ran", "references": references}]
    (row,) = scores.score(rows, answers("the cat sat"), SUMMARY)
    assert (row["reference"], row["references"]) == ("a dog ran", ["a dog ran", "the cat sat"])
    assert (row["rouge1"], row["rougeL"], row["reference_words"]) == (100, 100, 3)


def test_every_row_has_exactly_one_prediction():
    with pytest.raises(ValueError, match="zip"):
        scores.score([{"id": "1", "dialogue": "", "summary": "x"}], [], SUMMARY)


def test_rouge_lsum_goes_by_sentences_and_compares_with_no_run_that_went_by_lines():
    rows = [{"id": "1", "dialogue": "", "summary": "One two. Three four."}]
    scored = scores.score(rows, answers("Three four. One two."), SUMMARY)
    (lsum,) = (metric for metric in scores.METRICS if metric.key == "rougeLsum")
    assert lsum.score(scored) == 100 > scored[0]["rougeL"]
    by_lines = [
        {("rougeLsum" if c == lsum.columns[0] else c): row[c] for c in row} for row in scored
    ]
    assert not lsum.is_of(by_lines)
    assert not lsum.compares(by_lines, scored)
    assert scores.PROTOCOL == {"sentences": "pysbd 0.3.4"}


def test_the_predictions_own_columns_stay():
    rows = [{"id": "1", "dialogue": "", "summary": "a dog"}]
    (row,) = scores.score(rows, [{"id": "1", "prediction": "a", "empty": False}], SUMMARY)
    assert row["empty"] is False


def test_facts_that_the_dialogue_does_not_hold_are_listed_and_counted_by_rows():
    row = {"dialogue": "Ann: At 5 on Monday?\nBob: Ok", "summary": "Ann meets Bob."}
    rows = [{"id": "1", **row}, {"id": "2", **row}]
    scored = scores.score(rows, answers("Ann meets Tom at 6 pm.", "Ann meets Bob at 5."), SUMMARY)
    assert [each["unsupported"] for each in scored] == [["Tom", "6 pm"], []]
    assert summary.scores(scores.METRICS, scores.FLAGS, scored, 0.05)["unsupported_rate"] == 50


def test_lines_of_the_dialogue_have_no_unsupported_facts():
    made = itertools.islice(dialogues.rows(random.Random(0)), 300)
    rows = [{"id": str(n), **row} for n, row in enumerate(made)]
    splits = {"train": [], "validation": [], "test": rows}
    for baseline in BASELINES:
        texts = baseline.fit(splits, SUMMARY)(rows).predictions
        scored = scores.score(rows, answers(*texts), SUMMARY)
        assert (
            summary.scores(scores.METRICS, scores.FLAGS, scored, 0.05)["unsupported_rate"] == 0
        ), baseline.name


@pytest.mark.parametrize(
    ("words", "name"),
    [(0, "0–50 words"), (50, "0–50 words"), (51, "51–100 words"), (200, "101–200 words"),
     (201, "201+ words"), (803, "201+ words")],
)  # fmt: skip
def test_a_dialogue_is_in_the_band_of_its_words(words, name):
    (grouping,) = scores.GROUPINGS
    assert grouping.group({"dialogue": "word " * words})[1] == name
