import pytest

from finetune.inference.predict import Ask, predict
from finetune.params import PriceEval, PriceScore, Prompt, SummaryEval, SummaryScore

DIALOGUES = [
    {"id": "a", "dialogue": "Anna: Hi!", "summary": "Anna says hi."},
    {"id": "b", "dialogue": "Tom: word " * 100, "summary": "Tom talks."},
]
PRODUCTS = [
    {"id": "a", "text": "A lamp of brass", "price": 40.0, "category": None},
    {"id": "b", "text": "A chair", "price": 120.0, "category": None},
]
TRAIN = [{"price": 10.0}, {"price": 70.0}, {"price": 500.0}]


def ask_summary() -> Ask:
    prompt = Prompt(instruction="Go.", cue=":", max_tokens=64, max_completion_tokens=8)
    return Ask(
        "summarization",
        prompt,
        SummaryEval(batch_size=2, decode="greedy"),
        SummaryScore(stemmer=True),
    )


def ask_price(estimate: str) -> Ask:
    prompt = Prompt(instruction="Go.", cue="Price is $", max_tokens=64, max_completion_tokens=8)
    score = PriceScore(hit_usd=40.0, hit_share=0.2)
    return Ask("price", prompt, PriceEval(batch_size=2, estimate=estimate), score)


def test_summaries_carry_scores_and_what_went_wrong(load, tiny_model):
    base = load(tiny_model)
    rows = predict(base, base.model, ask_summary(), DIALOGUES, [], "test")
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [row["reference"] for row in rows] == ["Anna says hi.", "Tom talks."]
    assert [row["prompt_truncated"] for row in rows] == [False, True]
    assert all(row["hit_length_cap"] for row in rows)  # a random model does not stop
    assert all(row["empty"] == (not row["prediction"]) for row in rows)
    assert all(0 <= row["rouge1"] <= 100 for row in rows)


def test_prices_are_estimates_of_the_distribution(load, tiny_model):
    base = load(tiny_model)
    found = {
        name: predict(base, base.model, ask_price(name), PRODUCTS, TRAIN, "test")
        for name in ("median", "greedy")
    }
    assert found["median"] != found["greedy"]
    for row, product in zip(found["median"], PRODUCTS, strict=True):
        assert row["absolute_error"] == pytest.approx(abs(row["prediction"] - product["price"]))
        assert "unparsable" not in row


def test_a_tokenizer_that_splits_numbers_generates_and_parses(load, digits_model, caplog):
    base = load(digits_model)
    rows = predict(base, base.model, ask_price("median"), PRODUCTS, TRAIN, "test")
    assert "splits numbers" in caplog.text
    # A random model writes no price: the best constant of train stands in, and is counted.
    assert [row["unparsable"] for row in rows] == [True, True]
    assert [row["prediction"] for row in rows] == [70.0, 70.0]


def test_the_same_rows_give_the_same_predictions_twice(load, tiny_model):
    first, again = (
        predict(base, base.model, ask_summary(), DIALOGUES, [], "test")
        for base in (load(tiny_model, "nf4"), load(tiny_model, "nf4"))
    )
    assert first == again
