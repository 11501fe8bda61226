import pytest
from hosted_run import parameters

from finetune.core.errors import ParamsError
from finetune.core.schema import Prices
from finetune.hosted import prices
from finetune.hosted.prices import Rates, Usage

PRICES = Prices(input=1.0, output=4.0, tuned_input=2.0, training=3.0)


def test_answers_cost_by_tokens_read_and_written():
    assert prices.rates(PRICES, is_tuned=False).cost(Usage(1_000_000, 500_000)) == 3.0
    # Where the price of a tuned model's output is not known, neither is the cost.
    assert prices.rates(PRICES, is_tuned=True).cost(Usage(1, 1)) is None
    assert Rates(0.0, 0.0).cost(Usage(9, 9)) == 0.0


def test_training_costs_by_trained_tokens():
    assert prices.training_cost(2_000_000, PRICES) == 6.0
    assert prices.training_cost(2_000_000, Prices()) is None


def test_tokens_are_estimated_on_the_safe_side():
    english = {"role": "user", "content": "The tokens of plain English have about four bytes."}
    assert prices.estimated_tokens([english]) >= len(english["content"]) / 4


def test_what_may_cost_more_than_the_limit_is_refused():
    _, run, _ = parameters("http://localhost/v1", max_usd=1.0)
    prices.check(run, "training", 1.0, ["training"])
    with pytest.raises(ParamsError, match=r"run.max_usd: is 1, and training may cost 1.01 USD"):
        prices.check(run, "training", 1.01, ["training"])
    with pytest.raises(ParamsError, match=r"beside 0\.6 USD spent"):
        prices.check(run, "base", 0.5, prices.ANSWERS, spent=0.6)
    # Of what the answers cost of a tuned model, whose prices are not set.
    rates = prices.rates(run.hosted_prices, is_tuned=True)
    with pytest.raises(
        ParamsError,
        match=r"run\.max_usd: is 1, and what predict costs is not known: set "
        r"run\.hosted_prices\.tuned_input, run\.hosted_prices\.tuned_output, or run\.max_usd=null",
    ):
        prices.check(run, "predict", rates.cost(Usage(1, 1)), rates.names)
    _, unlimited, _ = parameters("http://localhost/v1")
    prices.check(unlimited, "predict", None, rates.names)
