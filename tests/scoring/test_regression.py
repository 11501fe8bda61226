import numpy as np
import pytest
from sklearn import metrics

from finetune.scoring.regression import price_error, r2, rmsle

OPTIONS = {"hit_within": 40.0, "hit_fraction": 0.2}


@pytest.mark.parametrize(
    ("prediction", "price", "error", "hit"),
    [
        (10.0, 50.0, 40.0, 100),  # just within USD
        (9.0, 50.0, 41.0, 0),
        (90.0, 50.0, 40.0, 100),
        (800.0, 1000.0, 200.0, 100),  # just within the fraction
        (1200.0, 1000.0, 200.0, 100),
        (799.0, 1000.0, 201.0, 0),
        (1000.0, 799.0, 201.0, 0),  # a fraction of the price, not of the prediction
        (0.0, 0.0, 0.0, 100),
    ],
)
def test_a_hit_is_within_so_much_or_a_fraction_of_the_price(prediction, price, error, hit):
    found = price_error(prediction, price, **OPTIONS)
    assert (found["absolute_error"], found["hit"]) == (error, hit)


@pytest.mark.parametrize(
    ("prediction", "price"), [(float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan"))]
)
def test_what_is_not_finite_has_no_error(prediction, price):
    with pytest.raises(ValueError, match="not finite"):
        price_error(prediction, price, **OPTIONS)


def test_a_negative_price_is_no_prediction():
    with pytest.raises(ValueError, match="negative"):
        price_error(-1.0, 5.0, **OPTIONS)


def test_scores_over_rows_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    prices = rng.lognormal(4, 1, 300)
    predictions = prices * rng.lognormal(0, 0.4, 300)
    assert rmsle(predictions, prices) == pytest.approx(
        metrics.root_mean_squared_log_error(prices, predictions)
    )
    assert r2(predictions, prices) == pytest.approx(metrics.r2_score(prices, predictions))


@pytest.mark.parametrize("price", [5.0, 0.1])  # the mean of three of the latter is not it
@pytest.mark.parametrize(("error", "expected"), [(0.0, 1), (1.0, 0)])
def test_prices_that_are_all_one_have_no_variance_to_explain(price, error, expected):
    assert r2(np.array([price, price, price + error]), np.full(3, price)) == expected


def test_scores_are_taken_along_an_axis():
    prices = np.array([[1.0, 2.0, 4.0], [3.0, 1.0, 2.0]])
    both = r2(prices[::-1], prices, axis=-1)
    assert both.tolist() == [r2(prices[1], prices[0]), r2(prices[0], prices[1])]
