import pytest

from finetune.params import PriceScore
from finetune.scoring.regression import price_error

OPTIONS = PriceScore(hit_usd=40.0, hit_share=0.2)


@pytest.mark.parametrize(
    ("prediction", "price", "error", "hit"),
    [
        (10.0, 50.0, 40.0, 100),  # just within USD
        (9.0, 50.0, 41.0, 0),
        (90.0, 50.0, 40.0, 100),
        (800.0, 1000.0, 200.0, 100),  # just within the share
        (1200.0, 1000.0, 200.0, 100),
        (799.0, 1000.0, 201.0, 0),
        (1000.0, 799.0, 201.0, 0),  # a share of the price, not of the prediction
        (0.0, 0.0, 0.0, 100),
    ],
)
def test_a_hit_is_within_so_many_usd_or_a_share_of_the_price(prediction, price, error, hit):
    assert price_error(prediction, price, OPTIONS) == {"absolute_error": error, "hit": hit}


@pytest.mark.parametrize(
    ("prediction", "price"), [(float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan"))]
)
def test_what_is_not_finite_has_no_error(prediction, price):
    with pytest.raises(ValueError, match="not finite"):
        price_error(prediction, price, OPTIONS)
