from pathlib import Path

import numpy as np
import pytest

from finetune.core import params
from finetune.inference.choices import Distribution
from finetune.tasks.price.options import Answer, PricePrompt
from finetune.tasks.price.serve import SERVE, PriceAnswer, _answer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def options():
    read = params.read(ROOT / "params.yaml")
    return read.tasks["price"].eval


def of(weights: dict[int, float], outside: float = 0.0) -> Distribution:
    probabilities = np.zeros(1000)
    for price, weight in weights.items():
        probabilities[price] = weight
    return Distribution(probabilities, outside, 1 - outside)


def test_ranges_are_central_and_in_the_currency(options):
    quarters = of(dict.fromkeys((10, 20, 30, 40), 0.25), outside=0.1)
    answer = _answer(quarters, options, Answer(currency="INR", unit=10))
    assert answer["currency"] == "INR"
    assert answer["estimate"] == answer["median"] == 200  # of 20 units
    assert answer["range_50"] == (100, 300)
    assert answer["range_90"] == (100, 400)
    assert answer["probability_no_price"] == 0.1
    checked = PriceAnswer(model="price", prompt_truncated=False, **answer)
    assert checked.range_90 == (100, 400)


def test_a_range_of_all_mass_on_one_price_is_that_price(options):
    answer = _answer(of({7: 1.0}), options, Answer())
    assert answer["range_50"] == answer["range_90"] == (7, 7)


@pytest.mark.parametrize(
    "predicted", [of({7: 1.0}, outside=0.6), Distribution(None, outside=1.0, mass=0.0)]
)
def test_without_a_price_there_is_no_estimate_but_its_probability(options, predicted):
    answer = _answer(predicted, options, Answer())
    assert (
        answer["estimate"] is answer["median"] is answer["range_50"] is answer["range_90"] is None
    )
    assert answer["probability_no_price"] >= 0.6


def test_a_request_is_cleaned_as_rows_are():
    prompt = PricePrompt(
        instruction="How much?", cue="Price is $", max_tokens=64, max_completion_tokens=8
    )
    text = (
        "How much does this cost to the nearest dollar?\n\n  A chair \r\nof oak\n\nPrice is $20.00"
    )
    assert SERVE.row(text, prompt).input == "A chair\nof oak"
