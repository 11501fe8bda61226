import pytest

from finetune.core.schema import Bootstrap
from finetune.tasks.price import scores
from finetune.tasks.price.options import PriceScore

PRICE = PriceScore(hit_within=40.0, hit_fraction=0.2)


def test_prices_are_scored_row_by_row():
    rows = [{"id": "1", "price": 157.99, "category": "Tools"}, {"id": "2", "price": 20.0}]
    assert scores.score(rows, [{"prediction": 200.123}, {"prediction": 60.5}], PRICE) == [
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


def test_every_row_has_exactly_one_prediction():
    with pytest.raises(ValueError, match="zip"):
        scores.score([{"id": "1", "price": 1.0}], [], PRICE)


@pytest.mark.parametrize(
    ("price", "name"), [(0.87, "0–20 USD"), (20.0, "20–50 USD"), (999.0, "500+ USD")]
)
def test_a_price_is_in_the_band_that_it_starts_or_lies_in(price, name):
    of_category, of_price = scores.GROUPINGS
    assert of_price.group({"price": price})[1] == name
    assert of_category.group({"price": price, "category": None})[1] == scores.NO_CATEGORY


@pytest.mark.parametrize("key", ["coverage_50", "coverage_90"])
def test_a_coverage_of_nothing_has_an_interval_of_some_width(key):
    (metric,) = (metric for metric in scores.METRICS if metric.key == key)
    options = Bootstrap(resamples=100, confidence=0.95, seed=1)
    interval = metric.interval([{metric.columns[0]: 0.0}] * 200, options)
    assert (interval.mean, interval.low, round(interval.high, 2)) == (0, 0, 1.83)
