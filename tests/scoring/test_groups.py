import pytest

from finetune.core.schema import Bootstrap
from finetune.scoring import groups
from finetune.tasks.price import scores as prices_of
from finetune.tasks.summarization import scores as summaries_of

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)


def table(of, rows: list[dict], models: dict[str, list[dict]]) -> list[dict]:
    return list(groups.table(of.GROUPINGS, of.METRICS, of.FLAGS, rows, models, BOOTSTRAP, 0.05))


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
    groups_of = table(prices_of, rows, models)
    assert [(r["by"], r["group"], r["model"], r["rows"], r["mae"]) for r in groups_of] == [
        ("category", "(none)", "base", 1, 4.0),
        ("category", "(none)", "tuned", 1, 4.0),
        ("category", "Tools", "base", 2, 20.0),
        ("category", "Tools", "tuned", 2, 2.0),
        ("price", "0–20 USD", "base", 2, 7.0),
        ("price", "0–20 USD", "tuned", 2, 2.5),
        ("price", "200–500 USD", "base", 1, 30.0),
        ("price", "200–500 USD", "tuned", 1, 3.0),
    ]
    assert all(row["mae_low"] is row["mae_high"] is None for row in groups_of)
    assert len({tuple(row) for row in groups_of}) == 1  # one header serves all


@pytest.mark.parametrize("size", [groups.MIN_ROWS - 1, groups.MIN_ROWS])
def test_a_group_of_few_rows_has_no_interval(size):
    pairs = [product(10.0, "Tools", float(n)) for n in range(size)]
    guesses = [guess for _, (guess,) in pairs]
    first, _ = table(prices_of, [row for row, _ in pairs], {"base": guesses})
    has_interval = first["mae_low"] is not None
    assert has_interval == (size == groups.MIN_ROWS)
    assert not has_interval or first["mae_low"] < first["mae"] < first["mae_high"]


def test_summaries_are_grouped_by_the_length_of_their_dialogue():
    rouges = dict.fromkeys(("rouge1", "rouge2", "rougeL", "rougeLsum_by_sentence"), 40.0)
    rows = [{"dialogue": "word " * 120}, {"dialogue": "Ann: Hi"}]
    lengths = table(summaries_of, rows, {"base": [rouges, rouges]})
    assert [row["group"] for row in lengths] == ["0–50 words", "101–200 words"]
    assert lengths[0]["rouge1"] == 40.0


def test_a_group_without_answers_has_a_rate_and_no_score():
    pairs = [product(10.0, "Tools", 3.0, 1.0), product(300.0, "Tools", 90.0, 30.0)]
    models = {
        name: [guess[n] | {"unparsable": name == "base" and guess[n]["reference"] > 99}
               for _, guess in pairs]
        for n, name in enumerate(("base", "tuned"))
    }  # fmt: skip
    of = prices_of
    found = {
        most: [
            (row["group"], row["model"], row["mae"], row["no_answer_rate"])
            for row in groups.table(
                of.GROUPINGS, of.METRICS, of.FLAGS, [row for row, _ in pairs], models, BOOTSTRAP,
                most,
            )
            if row["by"] == "price"
        ]
        for most in (0.6, 0.4)
    }  # fmt: skip
    tuned = [("0–20 USD", "tuned", 1.0, 0.0), ("200–500 USD", "tuned", 30.0, 0.0)]
    base = [("0–20 USD", "base", 3.0, 0.0), ("200–500 USD", "base", None, 100.0)]
    assert found[0.6] == [base[0], tuned[0], base[1], tuned[1]]
    # A model that is silent as a whole has no score in any group.
    assert found[0.4] == [("0–20 USD", "base", None, 0.0), tuned[0], base[1], tuned[1]]
