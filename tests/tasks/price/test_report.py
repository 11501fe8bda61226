"""What the report shows of prices; the page around it is for tests/reporting."""

import pytest

from finetune.reporting.artifacts import TaskArtifacts
from finetune.stages.report import kind
from finetune.tasks.price import report
from finetune.tasks.price.options import PriceTrain
from finetune.tasks.price.report import REPORT


def row(i: int, error: float, **more: object) -> dict:
    return {"id": i, "prediction": 10 + error, "reference": 10.0, "absolute_error": error, **more}


def artifacts(*tuned: dict, base: tuple[dict, ...] = (), **metrics: object) -> TaskArtifacts:
    return TaskArtifacts(
        task="price",
        kind=kind("price"),
        metrics={"tuned": metrics},
        predictions={"tuned": list(tuned), "base": list(base)},
        rows={"test": [{"id": 9, "text": "x" * 900, "category": "<tools>"}]},
    )


def plain(said: str) -> str:
    return said.replace("\N{NO-BREAK SPACE}", " ")


def test_misses_are_the_largest_errors_first():
    found = report.misses(artifacts(*(row(i, float(i)) for i in range(10)), base=(row(9, 3.0),)))
    assert [miss.error for miss in found] == [9, 8, 7, 6, 5, 4]
    assert found[0].text.endswith("x…")
    assert len(found[0].text) == report.LONGEST_DESCRIPTION
    assert (found[0].base, found[0].base_error) == (13, 3)
    assert (found[1].text, found[1].base) == ("", None)
    html = REPORT.quality("t1", artifacts(row(9, 3.0))).examples
    assert "&lt;tools&gt;" in html
    assert "off by" in html


def test_models_are_drawn_with_how_near_they_come_and_what_is_no_price():
    tuned = [row(0, 5.0), row(1, 500.0, unparsable=True)]
    (scatter, base) = REPORT.quality("t1", artifacts(*tuned, base=(row(0, 1.0),))).before_groups
    assert scatter.heading == "Predicted and actual: tuned"
    assert plain(scatter.caption) == (
        "1 of 1 (100 %) within half and double the price (the band). "
        "1 of 2 (50 %) rows have no answer and are not drawn."
    )
    assert base.heading == "Predicted and actual: base model"


def test_what_cannot_be_drawn_is_said():
    free = {**row(0, 5.0), "reference": 0.0}
    found = REPORT.quality("t1", artifacts(free))
    assert found.missing == [
        "No true price above zero has an answer, so none is drawn.",
        "Predictions hold no `pit`, so calibration is not shown.",
    ]
    assert found.tables == []


def test_calibration_is_of_the_rows_that_have_a_distribution():
    parsed, unparsable = row(0, 1.0, pit=[0.1, 0.2]), row(1, 1.0, pit=[0.5, 0.6], unparsable=True)
    (figure,) = REPORT.quality("t1", artifacts(parsed, unparsable)).after_groups
    assert figure.heading.startswith("Calibration")
    assert REPORT.quality("t1", artifacts(unparsable)).after_groups == []


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(92, 97, "underconfident"), (70, 85, "overconfident"), (86, 94, "consistent with 90 %")],
)
def test_coverage_is_judged_by_its_interval(low, high, said):
    interval = {"coverage_90": {"low": low, "high": high}}
    metrics = {"coverage_90": 88.0, "n": 200, "interval": interval}
    assert said in plain(report.coverage(metrics))
    assert "hold the true price in 88 % of the rows" in plain(report.coverage(metrics))


def test_what_lies_outside_of_prices_is_said():
    assert "On average 1.50 %" in plain(report.coverage({"outside": 1.5}))
    assert report.coverage({"outside": 0.0}).startswith("None of its probability")
    assert report.coverage({}) == ""


ESTIMATES = {
    "greedy": {
        "mae": 11.5, "low": 9.0, "high": 13.0,
        "difference": {"mean": 1.5, "low": -0.5, "high": 3.0},
    },
    "median": {"mae": 10.0, "low": 8.0, "high": 12.0},
}  # fmt: skip


def test_point_estimates_stand_beside_the_medians():
    (table,) = REPORT.quality("t1", artifacts(row(0, 1.0), estimates=ESTIMATES)).tables
    assert [[plain(cell) for cell in cells] for cells in table.rows] == [
        ["greedy", "11.50 [9.00, 13.00]", "+1.50 [−0.50, +3.00]"],
        ["median", "10.00 [8.00, 12.00]", "–"],
    ]
    (said,) = REPORT.remarks({"tuned": {"estimates": ESTIMATES}})
    assert said.endswith("median 10.00, greedy 11.50 (+1.50 [-0.50, 3.00]).")
    assert REPORT.remarks({"tuned": {}}) == []


def test_what_stands_where_there_is_no_answer_is_said():
    silent = row(0, 1.0, unparsable=True, outside=98.5)
    (said,) = REPORT.notes(artifacts(silent, row(1, 1.0, unparsable=False, outside=2.0)))
    assert plain(said) == (
        "Where the tuned model has no answer, 98.50 % of its probability on average lies on what "
        "is no price; where scores are shown, such a row counts as the median of train."
    )
    assert REPORT.notes(artifacts(row(0, 1.0, unparsable=False, outside=2.0))) == []


def test_mass_on_no_price_is_explained_with_what_it_costs():
    found = artifacts(outside=4.25, crps=28.0, crps_charged=41.5)
    bands = (("0–20 USD", 0.2), ("20–50 USD", 1.0), ("500+ USD", 26.0))
    for model, factor in (("base", 2), ("tuned", 1)):
        for band, mass in bands:
            of = {"by": "price", "group": band, "model": model, "outside": factor * mass}
            found.groups.append(of)
    (said,) = REPORT.notes(found)
    assert plain(said) == (
        "Mass on no price is the probability of answers that are none of the prices that can be "
        "answered: 4.25 % for the tuned model, 0.20 % at 0–20 USD and 26.00 % at 500+ USD. CRPS "
        "leaves it out, and is 28.00 USD; charged as if it stood at the worst price for it, it is "
        "41.50 USD."
    )


def test_answers_that_go_on_as_longer_numbers_are_counted():
    (said,) = REPORT.notes(artifacts(continues=3, n=200))
    assert plain(said).startswith(
        "In 3 of 200 (1.5 %) answers of the tuned model the likeliest price is the beginning of a "
        "longer number"
    )
    assert REPORT.notes(artifacts(continues=0, n=200)) == []


def test_a_miss_is_an_answer_and_a_base_without_one_says_so():
    silent = row(1, 900.0, unparsable=True)
    found = artifacts(row(0, 5.0), silent, base=(row(0, 80.0, unparsable=True),))
    (miss,) = report.misses(found)
    assert (miss.id, miss.base, miss.base_error, miss.base_has_answer) == ("0", None, None, False)
    assert "<dd>no answer</dd>" in REPORT.quality("t1", found).examples


@pytest.mark.parametrize(("weight", "end"), [(0.0, "token."), (2.0, "plus 2 times the expected")])
def test_the_loss_is_explained_with_the_weight_of_the_error(weight, end):
    assert end in REPORT.loss(PriceTrain.model_construct(number_loss=weight))
