import pytest

from finetune.core.errors import DataError
from finetune.core.schema import Bootstrap
from finetune.scoring import summary
from finetune.tasks.price import scores as prices_of
from finetune.tasks.summarization import scores as summaries_of

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)


def of_prices(predictions: list[dict], protocol: dict | None = None) -> dict:
    return summary.summary(
        prices_of.METRICS, prices_of.FLAGS, predictions, BOOTSTRAP, protocol or {}
    )


def of_summaries(predictions: list[dict]) -> dict:
    return summary.summary(summaries_of.METRICS, summaries_of.FLAGS, predictions, BOOTSTRAP, {})


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
    metrics = of_prices(prices(1.0, 2.0, 9.0, 10.0))
    assert (metrics["mae"], metrics["hits"], metrics["n"]) == (5.5, 50.0, 4)
    assert metrics["median_error"] == 5.5
    assert 0 < metrics["rmsle"] < 0.2
    assert set(metrics["interval"]) == {"mae", "median_error", "rmsle", "hits"}
    ends = metrics["interval"]["mae"]
    assert 1 <= ends["low"] < 5.5 < ends["high"] <= 10


def test_the_rate_of_a_flag_has_an_interval_like_any_other_mean():
    predictions = [{**row, "unparsable": n < 5} for n, row in enumerate(prices(*[9.0] * 20))]
    found = of_prices(predictions)
    assert (found["unparsable"], found["unparsable_rate"]) == (5, 25.0)
    ends = found["interval"]["unparsable_rate"]
    assert 5 <= ends["low"] < 25 < ends["high"] <= 50


def test_no_hit_among_few_rows_is_not_certain_never_to_come():
    predictions = prices(50.0, 90.0, 70.0)
    found = of_prices(predictions)
    assert found["hits"] == 0
    assert found["interval"]["hits"] == {"low": 0, "high": pytest.approx(70.76, abs=0.01)}


SUMMARY_ROW = {
    "id": "1",
    "rouge1": 40.0,
    "rouge2": 10.0,
    "rougeL": 30.0,
    "rougeLsum_by_sentence": 35.0,
    "prediction_words": 12,
    "reference_words": 8,
}


def test_metrics_of_summaries_are_the_four_rouges_and_the_length():
    metrics = of_summaries([SUMMARY_ROW] * 2)
    assert metrics["rougeLsum"] == 35.0
    assert metrics["length_ratio"] == 1.5
    rouges = {"rouge1", "rouge2", "rougeL", "rougeLsum"}
    assert set(metrics["interval"]) == rouges | {"length_ratio"}


def test_a_model_has_metrics_that_a_baseline_cannot_have():
    row = SUMMARY_ROW | {"reference_nll": 6.0, "reference_tokens": 4}
    metrics = of_summaries([row, row])
    assert metrics["perplexity"] == pytest.approx(4.4817)  # e^1.5
    # Of a baseline and a model, the gain is in what both have.
    gain = summary.gain(summaries_of.METRICS, [SUMMARY_ROW], [row], BOOTSTRAP)
    assert "rouge1" in gain
    assert "perplexity" not in gain


def test_every_point_estimate_is_scored_on_the_same_distributions():
    rows = [
        row | {"estimates": {"greedy": 50.0 + a, "median": 50.0 + b}}
        for row, (a, b) in zip(prices(*[0.0] * 3), [(9.0, 1.0), (7.0, -2.0), (8.0, 0.0)],
                               strict=True)
    ]  # fmt: skip
    found = prices_of.details(rows, BOOTSTRAP)["estimates"]
    assert (found["greedy"]["mae"], found["median"]["mae"]) == (8.0, 1.0)
    assert found["greedy"]["difference"]["mean"] == 7.0
    assert found["greedy"]["difference"]["low"] > 0
    assert "difference" not in found["median"]


def test_metrics_say_what_they_cannot_be_compared_without():
    metrics = of_prices(prices(1.0), {"estimate": "median"})
    assert metrics["protocol"] == {"split": "test", "estimate": "median"}


def test_flags_are_counted_where_rows_carry_them():
    rows = [*prices(1.0, 2.0, unparsable=True), *prices(3.0, unparsable=False)]
    metrics = of_prices(rows)
    assert metrics["unparsable"] == 2
    assert metrics["unparsable_rate"] == pytest.approx(66.6667)
    assert "empty" not in metrics
    none = of_prices(prices(1.0, 2.0, unparsable=False))
    assert none["unparsable"] == 0


def test_a_gain_is_after_minus_before_row_by_row():
    before, after = prices(10.0, 20.0, 30.0), prices(7.0, 17.0, 27.0)
    gain = summary.gain(prices_of.METRICS, before, after, BOOTSTRAP)
    assert gain["mae"] == {"mean": -3.0, "low": -3.0, "high": -3.0}
    assert gain["hits"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


@pytest.mark.parametrize("change", [lambda rows: rows[:-1], lambda rows: rows[::-1]])
def test_predictions_for_other_rows_cannot_be_compared(change):
    rows = prices(1.0, 2.0, 3.0)
    with pytest.raises(DataError, match="not for the same rows"):
        summary.gain(prices_of.METRICS, rows, change(rows), BOOTSTRAP)


def test_validation_scores_are_the_metrics_and_the_number_of_rows():
    found = summary.scores(prices_of.METRICS, prices(1.0, 2.0, 9.0, 10.0))
    assert (found["mae"], found["hits"], found["n"]) == (5.5, 50.0, 4)
    assert "crps" not in found
