import pytest

from finetune.core.errors import DataError
from finetune.core.schema import Bootstrap, PriceScore, SummaryScore
from finetune.tasks import scores

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)
PRICE = PriceScore(hit_usd=40.0, hit_share=0.2)
SUMMARY = SummaryScore(stemmer=True)


def test_summaries_are_scored_row_by_row():
    rows = [{"id": "1", "summary": "the cat sat on the mat"}, {"id": "2", "summary": "a dog"}]
    first, second = scores.score("summarization", rows, ["the cat sat", ""], SUMMARY)
    assert first == {
        "id": "1",
        "prediction": "the cat sat",
        "reference": "the cat sat on the mat",
        "rouge1": 66.6667,
        "rouge2": 57.1429,
        "rougeL": 66.6667,
        "rougeLsum": 66.6667,
        "prediction_words": 3,
        "reference_words": 6,
    }
    assert (second["id"], second["prediction"], second["rouge1"]) == ("2", "", 0)


def test_a_row_with_several_references_has_them_all_and_the_best_scores():
    rows = [{"id": "1", "summary": "a dog ran", "references": ["a dog ran", "the cat sat"]}]
    (row,) = scores.score("summarization", rows, ["the cat sat"], SUMMARY)
    assert (row["reference"], row["references"]) == ("a dog ran", ["a dog ran", "the cat sat"])
    assert (row["rouge1"], row["rougeL"], row["reference_words"]) == (100, 100, 3)


def test_prices_are_scored_row_by_row():
    rows = [{"id": "1", "price": 157.99, "category": "Tools"}, {"id": "2", "price": 20.0}]
    assert scores.score("price", rows, [200.123, 60.5], PRICE) == [
        {
            "id": "1",
            "prediction": 200.12,
            "reference": 157.99,
            "category": "Tools",
            "absolute_error": 42.133,
            "hit": 0,
        },
        {
            "id": "2",
            "prediction": 60.5,
            "reference": 20.0,
            "category": None,
            "absolute_error": 40.5,
            "hit": 0,
        },
    ]


@pytest.mark.parametrize(("kind", "options"), [("summarization", SUMMARY), ("price", PRICE)])
def test_every_row_has_exactly_one_guess(kind, options):
    with pytest.raises(ValueError, match="zip"):
        scores.score(kind, [{"id": "1", "summary": "x", "price": 1.0}], [], options)


def prices(*errors: float, **flags: bool) -> list[dict]:
    return [
        {
            "id": str(n),
            "prediction": 50.0 + error,
            "reference": 50.0,
            "absolute_error": error,
            "hit": 100.0 * (error < 5),
            **flags,
        }
        for n, error in enumerate(errors)
    ]


def test_metrics_are_means_with_their_intervals():
    metrics = scores.metrics("price", prices(1.0, 2.0, 9.0, 10.0), BOOTSTRAP, {})
    assert (metrics["mae"], metrics["hits"], metrics["n"]) == (5.5, 50.0, 4)
    assert metrics["median_error"] == 5.5
    assert 0 < metrics["rmsle"] < 0.2
    assert set(metrics["interval"]) == {"mae", "median_error", "rmsle", "r2", "hits"}
    ends = metrics["interval"]["mae"]
    assert 1 <= ends["low"] < 5.5 < ends["high"] <= 10


def test_the_share_of_a_flag_has_an_interval_like_any_other_mean():
    predictions = [{**row, "unparsable": n < 5} for n, row in enumerate(prices(*[9.0] * 20))]
    found = scores.metrics("price", predictions, BOOTSTRAP, {})
    assert (found["unparsable"], found["unparsable_share"]) == (5, 25.0)
    ends = found["interval"]["unparsable_share"]
    assert 5 <= ends["low"] < 25 < ends["high"] <= 50


def test_no_hit_among_few_rows_is_not_certain_never_to_come():
    predictions = prices(50.0, 90.0, 70.0)
    found = scores.metrics("price", predictions, BOOTSTRAP, {})
    assert found["hits"] == 0
    assert found["interval"]["hits"] == {"low": 0, "high": pytest.approx(70.76, abs=0.01)}


SUMMARY_ROW = {
    "id": "1",
    "rouge1": 40.0,
    "rouge2": 10.0,
    "rougeL": 30.0,
    "rougeLsum": 35.0,
    "prediction_words": 12,
    "reference_words": 8,
}


def test_metrics_of_summaries_are_the_four_rouges_and_the_length():
    metrics = scores.metrics("summarization", [SUMMARY_ROW] * 2, BOOTSTRAP, {})
    assert metrics["rougeLsum"] == 35.0
    assert metrics["length_ratio"] == 1.5
    rouges = {"rouge1", "rouge2", "rougeL", "rougeLsum"}
    assert set(metrics["interval"]) == rouges | {"length_ratio"}


def test_a_model_has_metrics_that_a_rung_cannot_have():
    row = SUMMARY_ROW | {"reference_nll": 6.0, "reference_tokens": 4}
    metrics = scores.metrics("summarization", [row, row], BOOTSTRAP, {})
    assert metrics["perplexity"] == pytest.approx(4.4817)  # e^1.5
    # Of a rung and a model, the gain is in what both have.
    gain = scores.gain("summarization", [SUMMARY_ROW], [row], BOOTSTRAP)
    assert "rouge1" in gain
    assert "perplexity" not in gain


def test_every_point_estimate_is_scored_on_the_same_distributions():
    rows = [
        row | {"estimates": {"greedy": 50.0 + a, "median": 50.0 + b}}
        for row, (a, b) in zip(prices(*[0.0] * 3), [(9.0, 1.0), (7.0, -2.0), (8.0, 0.0)],
                               strict=True)
    ]  # fmt: skip
    found = scores.metrics("price", rows, BOOTSTRAP, {})["estimates"]
    assert (found["greedy"]["mae"], found["median"]["mae"]) == (8.0, 1.0)
    assert found["greedy"]["difference"]["mean"] == 7.0
    assert found["greedy"]["difference"]["low"] > 0
    assert "difference" not in found["median"]


def test_metrics_say_what_they_cannot_be_compared_without():
    metrics = scores.metrics("price", prices(1.0), BOOTSTRAP, {"estimate": "median"})
    assert metrics["protocol"] == {"split": "test", "estimate": "median"}


def test_flags_are_counted_where_rows_carry_them():
    rows = [*prices(1.0, 2.0, unparsable=True), *prices(3.0, unparsable=False)]
    metrics = scores.metrics("price", rows, BOOTSTRAP, {})
    assert metrics["unparsable"] == 2
    assert metrics["unparsable_share"] == pytest.approx(66.6667)
    assert "empty" not in metrics
    none = scores.metrics("price", prices(1.0, 2.0, unparsable=False), BOOTSTRAP, {})
    assert none["unparsable"] == 0


def test_a_gain_is_after_minus_before_row_by_row():
    before, after = prices(10.0, 20.0, 30.0), prices(7.0, 17.0, 27.0)
    gain = scores.gain("price", before, after, BOOTSTRAP)
    assert gain["mae"] == {
        "mean": -3.0,
        "low": -3.0,
        "high": -3.0,
        "p": pytest.approx(0.25, abs=0.1),
    }
    assert gain["hits"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


@pytest.mark.parametrize("change", [lambda rows: rows[:-1], lambda rows: rows[::-1]])
def test_predictions_for_other_rows_cannot_be_compared(change):
    rows = prices(1.0, 2.0, 3.0)
    with pytest.raises(DataError, match="not for the same rows"):
        scores.gain("price", rows, change(rows), BOOTSTRAP)
