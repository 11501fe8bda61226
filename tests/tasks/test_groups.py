import pytest

from finetune.core.schema import Bootstrap
from finetune.tasks import groups

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)


@pytest.mark.parametrize(
    ("words", "name"),
    [(0, "0–50 words"), (50, "0–50 words"), (51, "51–100 words"), (200, "101–200 words"),
     (201, "201+ words"), (803, "201+ words")],
)  # fmt: skip
def test_a_dialogue_is_in_the_band_of_its_words(words, name):
    assert groups.band(words, groups.WORDS, "words")[1] == name


@pytest.mark.parametrize(
    ("price", "name"), [(0.87, "0–20 USD"), (20.0, "20–50 USD"), (999.0, "500+ USD")]
)
def test_a_price_is_in_the_band_that_it_starts_or_lies_in(price, name):
    assert groups.band(price, groups.USD, "USD")[1] == name


def product(price: float, category: str | None, *errors: float) -> tuple[dict, list[dict]]:
    row = {"price": price, "category": category}
    guesses = [
        {"prediction": price + e, "reference": price, "absolute_error": e, "hit": 0.0}
        for e in errors
    ]
    return row, guesses


def test_each_group_has_a_row_a_model_in_order():
    pairs = [
        product(300.0, "Tools", 30.0, 3.0),
        product(9.0, None, 4.0, 4.0),
        product(10.0, "Tools", 10.0, 1.0),
    ]
    rows = [row for row, _ in pairs]
    models = {name: [guess[n] for _, guess in pairs] for n, name in enumerate(("base", "tuned"))}
    table = list(groups.table("price", rows, models, BOOTSTRAP))
    assert [(r["by"], r["group"], r["model"], r["rows"], r["mae"]) for r in table] == [
        ("category", "(none)", "base", 1, 4.0),
        ("category", "(none)", "tuned", 1, 4.0),
        ("category", "Tools", "base", 2, 20.0),
        ("category", "Tools", "tuned", 2, 2.0),
        ("price", "0–20 USD", "base", 2, 7.0),
        ("price", "0–20 USD", "tuned", 2, 2.5),
        ("price", "200–500 USD", "base", 1, 30.0),
        ("price", "200–500 USD", "tuned", 1, 3.0),
    ]
    assert all(row["mae_low"] is row["mae_high"] is None for row in table)
    assert len({tuple(row) for row in table}) == 1  # one header serves all


@pytest.mark.parametrize("size", [groups.LEAST_ROWS - 1, groups.LEAST_ROWS])
def test_a_group_of_few_rows_has_no_interval(size):
    pairs = [product(10.0, "Tools", float(n)) for n in range(size)]
    guesses = [guess for _, (guess,) in pairs]
    first, _ = groups.table("price", [row for row, _ in pairs], {"base": guesses}, BOOTSTRAP)
    has_interval = first["mae_low"] is not None
    assert has_interval == (size == groups.LEAST_ROWS)
    assert not has_interval or first["mae_low"] < first["mae"] < first["mae_high"]


def test_summaries_are_grouped_by_the_length_of_their_dialogue():
    rouges = dict.fromkeys(("rouge1", "rouge2", "rougeL", "rougeLsum"), 40.0)
    rows = [{"dialogue": "word " * 120}, {"dialogue": "Ann: Hi"}]
    table = list(groups.table("summarization", rows, {"base": [rouges, rouges]}, BOOTSTRAP))
    assert [row["group"] for row in table] == ["0–50 words", "101–200 words"]
    assert table[0]["rouge1"] == 40.0
