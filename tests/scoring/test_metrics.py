import numpy as np
import pytest

from finetune.core.schema import Bootstrap
from finetune.scoring import ratios
from finetune.scoring.metrics import Flag, Metric, answered, band

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)
ERROR = Metric(
    key="mae", columns=("error",), title="mean error", unit="USD", higher_is_better=False
)
RATIO = Metric(
    key="per_token",
    columns=("nll", "tokens"),
    title="NLL",
    statistic=lambda nll, tokens, axis: nll.sum(axis) / tokens.sum(axis),
    alike=("tokens",),
)


def test_a_number_and_its_unit_stay_on_one_line():
    assert ERROR.amount(38.696) == "38.70\N{NO-BREAK SPACE}USD"
    assert ERROR.ends(1, 2) == "[1.00,\N{NO-BREAK SPACE}2.00]"


def test_a_metric_says_which_way_is_good_and_what_it_is_called():
    assert (ERROR.direction, ERROR.subject) == ("lower is better", "the mean error")
    assert (RATIO.direction, RATIO.subject) == ("higher is better", "NLL")
    assert (ERROR.heading, RATIO.heading) == ("mean error (USD)", "NLL")


def test_a_metric_is_a_statistic_of_columns_over_all_rows():
    rows = [{"error": 1.0, "nll": 3.0, "tokens": 1}, {"error": 4.0, "nll": 3.0, "tokens": 3}]
    assert (ERROR.score(rows), RATIO.score(rows)) == (2.5, 1.5)
    assert (RATIO.of_row(rows[1]), ERROR.of_row(rows[1])) == (1.0, 4.0)
    assert ERROR.is_of(rows)
    assert not RATIO.is_of([{"error": 1.0}])


def test_a_percentage_of_some_rows_is_of_no_others():
    percentage = Metric(
        key="c", columns=("c", "n"), title="c", statistic=ratios.ratio, is_percentage=True
    )
    assert [percentage.counts({"c": 0.0, "n": n}) for n in (0, 1)] == [False, True]
    assert ERROR.counts({"error": 0.0})
    assert RATIO.counts({"nll": 3.0, "tokens": 0})


def test_which_way_is_good_for_a_row_may_be_the_other_way():
    r2 = Metric(key="r2", columns=("a", "b"), title="R²", column="error", column_is_error=True)
    assert (ERROR.row_sign, RATIO.row_sign, r2.row_sign) == (-1, 1, -1)
    assert r2.of_row({"a": 1.0, "b": 2.0, "error": 7.0}) == 7.0


def test_runs_compare_where_rows_mean_the_same():
    one = [{"id": "a", "nll": 3.0, "tokens": 1}]
    assert RATIO.compares(one, [{"id": "a", "nll": 9.0, "tokens": 1}])
    assert not RATIO.compares(one, [{"id": "a", "nll": 9.0, "tokens": 2}])
    assert not RATIO.compares(one, [{"id": "a", "nll": 9.0}])


@pytest.mark.parametrize(("hits", "low", "high"), [(0, 0, 70.8), (3, 29.2, 100)])
def test_a_rate_without_exceptions_has_an_interval(hits, low, high):
    rate = Metric(key="hits", columns=("hit",), title="hits", is_rate=True)
    interval = rate.interval([{"hit": 100.0 * (n < hits)} for n in range(3)], BOOTSTRAP)
    assert (interval.low, interval.high) == (
        pytest.approx(low, abs=0.1),
        pytest.approx(high, abs=0.1),
    )


@pytest.mark.parametrize(("value", "low", "high"), [(0.0, 0, 1.8), (100.0, 98.2, 100)])
def test_a_percentage_at_one_end_in_all_rows_has_an_interval(value, low, high):
    percentage = Metric(key="c", columns=("c",), title="c", is_percentage=True)
    interval = percentage.interval([{"c": value}] * 200, BOOTSTRAP)
    assert (interval.mean, interval.low, interval.high) == (
        value, pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05),
    )  # fmt: skip


@pytest.mark.parametrize(("value", "low", "high"), [(0.0, 0, 1.8), (100.0, 98.2, 100)])
def test_a_percentage_of_some_rows_counts_no_others(value, low, high):
    percentage = Metric(
        key="c", columns=("c", "n"), title="c", statistic=ratios.ratio, is_percentage=True
    )
    rows = [{"c": value, "n": 1}] * 200 + [{"c": 0.0, "n": 0}] * 300
    interval = percentage.interval(rows, BOOTSTRAP)
    assert (interval.mean, interval.low, interval.high) == (
        value, pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05),
    )  # fmt: skip


def test_a_percentage_between_its_ends_has_the_bootstraps_interval():
    columns = {"columns": ("c",), "title": "c"}
    percentage = Metric(key="c", is_percentage=True, **columns)
    mean = Metric(key="c", **columns)
    same, mixed = [{"c": 40.0}] * 9, [{"c": value} for value in (0.0, 25.0, 100.0) * 9]
    for rows in (same, mixed):
        assert percentage.interval(rows, BOOTSTRAP) == mean.interval(rows, BOOTSTRAP)


def test_the_rate_of_a_flag_counts_rows_without_it_as_well():
    rows = [{"empty": True}, {}, {}, {"empty": False}]
    assert Flag("empty", "no answer").rate(rows, BOOTSTRAP).mean == 25


@pytest.mark.parametrize(
    ("value", "name"), [(5, "0–50 x"), (51, "51–100 x"), (99.5, "51–101 x"), (101, "101+ x")]
)
def test_a_value_is_in_the_band_that_it_starts_or_lies_in(value, name):
    assert band(value, (0, 51, 101), "x")[1] == name


def test_the_median_is_a_statistic_like_any_other():
    median = Metric(key="m", columns=("error",), title="median", statistic=np.median)
    assert median.score([{"error": 1.0}, {"error": 2.0}, {"error": 9.0}]) == 2.0


def test_a_row_is_answered_unless_a_flag_says_that_it_is_not():
    flags = (Flag("late", "it came too late"), Flag("none", "nothing came", is_no_answer=True))
    assert answered(flags, {"late": True, "none": False})
    assert answered(flags, {})
    assert not answered(flags, {"none": True})
