from finetune.inference.written import TextRequest, Written
from finetune.tasks.price.options import Answer, PriceEval, PricePrompt
from finetune.tasks.price.predict import from_texts
from finetune.tasks.price.rows import Row


def test_a_text_counts_units_and_a_row_without_a_price_has_the_median():
    prompt = PricePrompt(
        instruction="", cue="₹", max_tokens=99, max_completion_tokens=9,
        answer=Answer(currency="INR", unit=100),
    )  # fmt: skip
    rows = [
        Row(id=str(n), text="A", price=price, category=None).for_prompt(prompt)
        for n, price in enumerate((4200.0, 5000.0, 100.0, 4200.0))
    ]
    answers = [
        Written("₹ 42"), Written("", refused=True), Written("It is", hit_length_cap=True),
        Written("₹ 42,000,000"),  # more than a price may be, in rupees and not in hundreds of them
    ]  # fmt: skip
    options = PriceEval(shots=0, seed=1, estimate="median", top_k=1, prune_below=0.0, min_mass=0.5)
    request = TextRequest(
        rows=rows, train=rows, eval=options, prompt=prompt, ask=lambda _: [[a] for a in answers]
    )
    first, refused, capped, huge = from_texts(request)
    assert (first["prediction"], first["unparsable"]) == (4200.0, False)
    assert (refused["prediction"], refused["unparsable"]) == (4200.0, True)  # the median of train
    assert (refused["refused"], refused["empty"]) == (True, False)
    assert (capped["hit_length_cap"], capped["unparsable"]) == (True, True)
    assert (huge["prediction"], huge["unparsable"]) == (4200.0, True)
