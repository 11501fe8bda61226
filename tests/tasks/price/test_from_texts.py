import pytest

from finetune.core.text import DOLLARS
from finetune.hosted.written import Written
from finetune.inference.written import TextRequest
from finetune.tasks.price.options import Answer, PriceEval, PricePrompt
from finetune.tasks.price.predict import from_texts, price_in
from finetune.tasks.price.rows import Row


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("25", 25.0),
        ("$25.99", 25.99),
        ("25 USD", 25.0),
        ("It costs $1,299.00, maybe $1,500.", 1299.0),
        ("2 lamps for about $40", 40.0),
        ("around 20 to 30 dollars", 20.0),
        ("the X100 costs 50", 50.0),
        ("1,29,900", 129900.0),
        ("-5", None),
        ("no idea", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_the_price_in_a_text_is_the_first_marked_number_or_else_the_first(text, price):
    assert price_in(text, DOLLARS) == price


def test_a_text_counts_units_and_a_row_without_a_price_has_the_median():
    prompt = PricePrompt(
        instruction="", cue="₹", max_tokens=99, max_completion_tokens=9,
        answer=Answer(currency="INR", unit=100),
    )  # fmt: skip
    rows = [
        Row(id=str(n), text="A", price=price, category=None).for_prompt(prompt)
        for n, price in enumerate((4200.0, 5000.0, 100.0))
    ]
    answers = [Written("₹ 42"), Written("", refused=True), Written("It is", hit_length_cap=True)]
    options = PriceEval(shots=0, seed=1, estimate="median", top_k=1, prune_below=0.0, min_mass=0.5)
    request = TextRequest(
        rows=rows, train=rows, eval=options, prompt=prompt, ask=lambda _: [[a] for a in answers]
    )
    first, refused, capped = from_texts(request)
    assert (first["prediction"], first["unparsable"]) == (4200.0, False)
    assert (refused["prediction"], refused["unparsable"]) == (4200.0, True)  # the median of train
    assert (refused["refused"], refused["empty"]) == (True, False)
    assert (capped["hit_length_cap"], capped["unparsable"]) == (True, True)
