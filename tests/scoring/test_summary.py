import pytest

from finetune.core.errors import DataError
from finetune.core.schema import Bootstrap
from finetune.scoring import summary
from finetune.tasks.price import scores as prices_of
from finetune.tasks.summarization import scores as summaries_of

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)


def of_prices(predictions: list[dict], protocol: dict | None = None, most: float = 0.5) -> dict:
    return summary.summary(
        prices_of.METRICS, prices_of.FLAGS, predictions, BOOTSTRAP, protocol or {}, most
    )


def of_summaries(predictions: list[dict]) -> dict:
    return summary.summary(
        summaries_of.METRICS, summaries_of.FLAGS, predictions, BOOTSTRAP, {}, 0.5
    )


def gain_of(of, before: list[dict], after: list[dict], most: float = 0.5) -> dict:
    return summary.gain(of.METRICS, of.FLAGS, before, after, BOOTSTRAP, most)


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
    gain = gain_of(summaries_of, [SUMMARY_ROW], [row])
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
    metrics = of_prices(rows, most=1.0)
    assert metrics["unparsable"] == 2
    assert metrics["unparsable_rate"] == pytest.approx(66.6667)
    assert "empty" not in metrics
    none = of_prices(prices(1.0, 2.0, unparsable=False))
    assert none["unparsable"] == 0


def test_a_gain_is_after_minus_before_row_by_row():
    before, after = prices(10.0, 20.0, 30.0), prices(7.0, 17.0, 27.0)
    gain = gain_of(prices_of, before, after)
    assert gain["mae"] == {"mean": -3.0, "low": -3.0, "high": 0.0, "n": 3}
    assert (gain["hits"]["mean"], gain["hits"]["n"]) == (0, 3)
    # That three rows do not differ says little of rows that were not seen.
    assert gain["hits"]["high"] == -gain["hits"]["low"] > 50


@pytest.mark.parametrize("change", [lambda rows: rows[:-1], lambda rows: rows[::-1]])
def test_predictions_for_other_rows_cannot_be_compared(change):
    rows = prices(1.0, 2.0, 3.0)
    with pytest.raises(DataError, match="not for the same rows"):
        gain_of(prices_of, rows, change(rows))


def test_validation_scores_are_the_metrics_and_the_number_of_rows():
    rows = prices(1.0, 2.0, 9.0, 10.0)
    found = summary.scores(prices_of.METRICS, prices_of.FLAGS, rows, 0.05)
    assert (found["mae"], found["hits"], found["n"]) == (5.5, 50.0, 4)
    assert "crps" not in found


def partly(*unanswered: bool) -> list[dict]:
    """Rows with errors of 10, 20, … of which those without an answer count as 100."""
    rows = prices(*(100.0 if is_no else 10.0 * (n + 1) for n, is_no in enumerate(unanswered)))
    return [row | {"unparsable": is_no} for row, is_no in zip(rows, unanswered, strict=True)]


def test_there_is_no_score_for_silence():
    found = of_prices(partly(True, True, True, False), most=0.5)
    assert not {metric.key for metric in prices_of.METRICS} & found.keys()
    assert set(found["interval"]) == {"unparsable_rate", "no_answer_rate"}
    assert (found["n"], found["no_answer"], found["no_answer_rate"]) == (4, 3, 75.0)
    assert "answered" not in found
    on_validation = summary.scores(
        prices_of.METRICS, prices_of.FLAGS, partly(True, True, True, False), 0.5
    )
    assert on_validation == {"n": 4, "no_answer_rate": 75.0}


def test_at_the_stated_rate_a_missing_answer_counts_as_what_stands_in_for_it():
    found = of_prices(partly(True, False, False, True), most=0.5)
    assert found["mae"] == (100 + 20 + 30 + 100) / 4
    assert (found["no_answer"], found["no_answer_rate"]) == (2, 50.0)
    assert (found["answered"]["mae"], found["answered"]["n"]) == (25.0, 2)
    assert "answered" not in of_prices(partly(False, False), most=0.5)


def test_what_cannot_but_answer_has_no_rate():
    assert not {"no_answer", "no_answer_rate"} & of_prices(prices(1.0, 2.0)).keys()


def test_an_empty_text_is_no_answer():
    rows = [SUMMARY_ROW | {"empty": empty} for empty in (True, True, False)]
    found = summary.summary(
        summaries_of.METRICS, summaries_of.FLAGS, rows, BOOTSTRAP, {}, 0.05
    )  # fmt: skip
    assert "rouge1" not in found
    assert (found["empty"], found["no_answer"]) == (2, 2)


def test_a_gain_is_over_the_rows_that_both_answered():
    before, after = (
        partly(False, True, False, False, False),
        partly(False, False, True, False, False),
    )
    after = [row | {"absolute_error": row["absolute_error"] - 4} for row in after]
    gain = gain_of(prices_of, before, after, 0.2)["mae"]
    assert (gain["mean"], gain["n"]) == (-4.0, 3)
    assert (gain["before"], gain["after"]) == pytest.approx((100 / 3, 100 / 3 - 4), abs=1e-3)


@pytest.mark.parametrize("silent", [0, 1])
def test_there_is_no_gain_over_silence_nor_of_it(silent):
    models = [partly(False, False, False), partly(False, False, False)]
    models[silent] = partly(True, False, False)
    assert gain_of(prices_of, *models, 0.3) == {}
    assert gain_of(prices_of, *models, 0.4) != {}


def test_not_to_answer_the_hard_rows_does_not_pay():
    base = prices(10.0, 20.0, 300.0, 400.0, unparsable=False)
    tuned = [
        row | ({"absolute_error": 50.0, "unparsable": True} if row["absolute_error"] > 100 else {})
        for row in base
    ]
    assert gain_of(prices_of, base, tuned, 0.5)["mae"]["mean"] == 0.0
