import pytest

from finetune.params import PriceTask, SummarizationTask
from finetune.tasks.rungs import RUNGS

DIALOGUE = (
    "Ann: Hi\n\nBob: Where have you been?\n  \nAnn: At home\nBob: Ok\nAnn: I slept all day long"
)


def on_dialogues(rung: str, *dialogues: str) -> list[str]:
    return RUNGS[rung]({"test": [{"dialogue": dialogue} for dialogue in dialogues]})


@pytest.mark.parametrize(
    ("rung", "dialogue", "summary"),
    [
        ("lead3", DIALOGUE, "Ann: Hi Bob: Where have you been? Ann: At home"),
        ("longest3", DIALOGUE, "Bob: Where have you been? Ann: At home Ann: I slept all day long"),
        ("lead3", "A: one\nB: two", "A: one B: two"),
        ("longest3", "A: one\nB: two", "A: one B: two"),
        ("longest3", "A: a\nB: b\nA: c\nB: d", "B: b A: c B: d"),  # the last of equals
        ("lead3", "", ""),
        ("longest3", "", ""),
    ],
)
def test_lines_of_a_dialogue_are_its_summary(rung, dialogue, summary):
    assert on_dialogues(rung, dialogue) == [summary]


def test_each_dialogue_has_its_own_summary_in_order():
    assert on_dialogues("lead3", "A: one", "B: two") == ["A: one", "B: two"]


def product(text: str, price: float) -> dict:
    return {"text": text, "price": price}


@pytest.fixture
def products() -> dict[str, list[dict]]:
    """Gold is dear, wood cheap; a tin one costs 90 less, one with a gem 70 more."""
    kinds = (("gold", 100.0), ("gold tin", 10.0), ("wood", 10.0), ("wood gem", 80.0))
    return {
        "train": [product(*kind) for kind in kinds] * 30,
        "test": [product("gold", 100.0), product("wood", 10.0)],
    }


def test_constants_are_those_of_train(products):
    products["train"].append(product("platinum", 1260.0))
    assert RUNGS["mean"](products) == [60.0, 60.0]
    assert RUNGS["median"](products) == [80.0, 80.0]


@pytest.mark.parametrize("rung", ["ridge", "ridge_log"])
def test_ridge_learns_the_word_that_decides_the_price(products, rung):
    def error(guesses: list[float]) -> float:
        rows = products["test"]
        return sum(abs(g - r["price"]) for g, r in zip(guesses, rows, strict=True)) / len(rows)

    assert error(RUNGS[rung](products)) < 0.2 * error(RUNGS["mean"](products))


@pytest.mark.parametrize("rung", ["ridge", "ridge_log"])
def test_ridge_stays_between_nothing_and_the_dearest_of_train(products, rung):
    # A sum of words' prices would make of one about -10, of the other well over 100.
    products["test"] = [product("wood tin", 0), product("gold gem", 0)]
    cheap, dear = RUNGS[rung](products)
    assert 0 <= cheap < 10
    assert dear == 100


def test_the_logarithm_makes_of_words_factors_and_not_terms(products):
    products["test"] = [product("wood tin", 0)]
    assert RUNGS["ridge"](products) == [0]
    assert RUNGS["ridge_log"](products)[0] > 3


def test_every_rung_that_may_be_configured_is_there():
    for task in (SummarizationTask, PriceTask):
        names = task.model_fields["ladder"].annotation.__args__[0].__args__
        assert set(names) <= set(RUNGS)
