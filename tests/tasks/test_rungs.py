import itertools
import random
import warnings

import pytest
from rouge_score.rouge_scorer import RougeScorer

from finetune.core.errors import DataError
from finetune.core.schema import PriceScore, PriceTask, SummarizationTask, SummaryScore
from finetune.tasks.rungs import RUNGS, summaries
from finetune.tasks.rungs.rung import Answers

DIALOGUE = (
    "Ann: Hi\n\nBob: Where have you been?\n  \nAnn: At home\nBob: Ok\nAnn: I slept all day long"
)
SCORE = PriceScore(hit_usd=40.0, hit_share=0.2)
REGRESSIONS = ("ridge", "svr", "random_forest", "boosting", "neighbours")


def on_dialogues(rung: str, *dialogues: str) -> list[str]:
    rows = [{"dialogue": dialogue} for dialogue in dialogues]
    return RUNGS[rung]({"test": rows}, SummaryScore(stemmer=True)).guesses


@pytest.mark.parametrize(
    ("rung", "dialogue", "summary"),
    [
        ("lead1", DIALOGUE, "Ann: Hi"),
        ("lead3", DIALOGUE, "Ann: Hi Bob: Where have you been? Ann: At home"),
        ("longest3", DIALOGUE, "Bob: Where have you been? Ann: At home Ann: I slept all day long"),
        ("lead3", "A: one\nB: two", "A: one B: two"),
        ("longest3", "A: one\nB: two", "A: one B: two"),
        ("longest3", "A: a\nB: b\nA: c\nB: d", "B: b A: c B: d"),  # the last of equals
        ("lead1", "", ""),
        ("lead3", "", ""),
        ("longest3", "", ""),
    ],
)
def test_lines_of_a_dialogue_are_its_summary(rung, dialogue, summary):
    assert on_dialogues(rung, dialogue) == [summary]


def test_each_dialogue_has_its_own_summary_in_order():
    assert on_dialogues("lead3", "A: one", "B: two") == ["A: one", "B: two"]


def test_lexrank_takes_the_lines_that_are_most_like_the_others_in_their_order():
    # A chain of lines, each with a word of the next: those in its middle have most in common.
    lines = ["oh well", "apple juice", "juice bread", "bread cake", "cake soup", "soup please"]
    assert on_dialogues("lexrank", "\n".join(lines)) == [" ".join(lines[i] for i in (2, 3, 4))]


@pytest.mark.parametrize(
    ("dialogue", "summary"),
    [
        ("", ""),
        ("A: one", "A: one"),
        ("B: two\nA: one", "B: two A: one"),
        (":)\n:(\n!!\n...", ":) :( !!"),  # no words to compare
        (":)\nA: one\n:(\nB: two", "A: one B: two"),
        ("a b c\na b d\na c d\nb c d", "a b c a b d a c d"),  # words in all lines but one: 0/0
        ("x\nx\nx\nx", "x x x"),
    ],
)
def test_lexrank_of_a_dialogue_with_nothing_to_rank_is_its_first_lines(dialogue, summary):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert on_dialogues("lexrank", dialogue) == [summary]


def oracle(dialogue: str, summary: str, stemmer: bool = True) -> str:
    rows = [{"dialogue": dialogue, "summary": summary}]
    return RUNGS["oracle3"]({"test": rows}, SummaryScore(stemmer=stemmer)).guesses[0]


@pytest.mark.parametrize("stemmer", [True, False])
def test_the_oracle_is_the_best_of_all_choices_of_up_to_three_lines(stemmer):
    rng = random.Random(3)
    scorer = RougeScorer(["rouge1"], use_stemmer=stemmer)
    words = ["cat", "cats", "runs", "running", "dog", "dogs", "a", "the", "sleeping"]
    for _ in range(40):
        lines = [" ".join(rng.choices(words, k=rng.randint(1, 5))) for _ in range(6)]
        summary = " ".join(rng.choices(words, k=rng.randint(1, 8)))

        def f1(text: str, summary: str = summary) -> float:
            return scorer.score(summary, text)["rouge1"].fmeasure

        choices = itertools.chain(*(itertools.combinations(lines, n) for n in (1, 2, 3)))
        best = max(f1(" ".join(choice)) for choice in choices)
        assert f1(oracle("\n".join(lines), summary, stemmer)) == pytest.approx(best)


def test_the_oracle_leaves_out_what_does_not_help():
    assert oracle("Ann: Hi\nBob: yes\nTom eats\nTim reads", "Tim reads.") == "Tim reads"
    assert oracle("Ann: Hi\nBob: yes", "Tom eats.") == ""
    assert oracle("", "Tom eats.") == ""


def test_the_oracle_of_a_very_long_dialogue_tries_the_lines_that_are_best_alone(monkeypatch):
    monkeypatch.setattr(summaries, "ORACLE_LINES", 2)
    lines = ["Tom and many other words here", "Tom eats", "he eats at home and so on", "at home"]
    assert oracle("\n".join(lines), "Tom eats at home") == "Tom eats at home"


def test_the_oracle_of_several_references_is_nearest_to_one_of_them():
    row = {"dialogue": "Ann: Hi\nTom eats\nTim reads"}
    row |= {"summary": "they all eat out", "references": ["they all eat out", "Tim reads"]}
    options = SummaryScore(stemmer=True)
    assert RUNGS["oracle3"]({"test": [row]}, options).guesses == ["Tim reads"]


def test_the_oracle_says_that_it_is_a_bound():
    rows = [{"dialogue": "A: one", "summary": "one"}]
    assert RUNGS["oracle3"]({"test": rows}, SummaryScore(stemmer=True)).remarks == {"bound": True}


def product(text: str, price: float, category: str | None = None) -> dict:
    return {"text": text, "price": price, "category": category}


def on_products(rung: str, products: dict[str, list[dict]]) -> Answers:
    return RUNGS[rung](products, SCORE)


@pytest.fixture
def products() -> dict[str, list[dict]]:
    """Gold is dear, wood cheap; a tin one costs 90 less, one with a gem 70 more."""
    kinds = (("gold", 100.0), ("gold tin", 10.0), ("wood", 10.0), ("wood gem", 80.0))
    return {
        "train": [product(*kind) for kind in kinds] * 30,
        "validation": [product(*kind) for kind in kinds] * 3,
        "test": [product("gold", 100.0), product("wood", 10.0)],
    }


def test_constants_are_those_of_train(products):
    products["train"].append(product("platinum", 1260.0))
    assert on_products("mean", products).guesses == [60.0, 60.0]
    assert on_products("median", products).guesses == [80.0, 80.0]


def test_a_category_has_its_own_median_and_one_unseen_that_of_all():
    prices = {"lamps": (10.0, 20.0, 90.0), "sofas": (200.0, 300.0), None: (15.0,)}
    train = [product("x", price, name) for name, found in prices.items() for price in found]
    test = [product("x", 0.0, name) for name in ("sofas", "lamps", "cars", None)]
    guesses = on_products("category_median", {"train": train, "test": test}).guesses
    assert guesses == [250.0, 20.0, 55.0, 55.0]


@pytest.mark.parametrize("rung", REGRESSIONS)
def test_a_regression_learns_the_word_that_decides_the_price(products, rung):
    def error(guesses: list[float]) -> float:
        rows = products["test"]
        return sum(abs(g - r["price"]) for g, r in zip(guesses, rows, strict=True)) / len(rows)

    learned = on_products(rung, products).guesses
    assert error(learned) < 0.3 * error(on_products("mean", products).guesses)
    assert learned == on_products(rung, products).guesses


@pytest.mark.parametrize("rung", REGRESSIONS)
def test_a_regression_stays_between_nothing_and_the_dearest_of_train(products, rung):
    # A sum of words' prices would make of one about -10, of the other well over 100.
    products["test"] = [product("wood tin", 0), product("gold gem", 0), product("unheard of", 0)]
    assert all(0 <= guess <= 100 for guess in on_products(rung, products).guesses)


def test_ridge_is_held_at_the_ends(products):
    products["test"] = [product("wood tin", 0), product("gold gem", 0)]
    assert on_products("ridge", products) == Answers(
        [0, 100], {"target": "price", "target_chosen_on": None}
    )


@pytest.mark.parametrize(
    ("rung", "times"), [("random_forest", 30), ("boosting", 30), ("neighbours", 2)]
)
def test_validation_alone_chooses_between_price_and_its_logarithm(products, rung, times):
    # Of one word two prices: the scales differ in what lies between them.
    products["train"] = [product("gold", 10.0), product("gold", 1000.0)] * times
    products["test"] = [product("gold", 0.0)]
    chosen = {}
    for price in (505.0, 100.0):
        products["validation"] = [product("gold", price)]
        answers = on_products(rung, products)
        chosen[price] = answers.remarks["target"]
        products["test"] = [product("gold", 999.0)]
        assert on_products(rung, products) == answers
    assert chosen == {505.0: "price", 100.0: "log price"}


def test_validation_alone_chooses_the_scale_of_support_vectors(products):
    # What train tells of a gem in wood comes to about 75 in gold on one scale, 72.5 on the other.
    kinds = (("wood", 10.0), ("wood gem", 20.0), ("gold", 100.0), ("platinum", 900.0))
    products["train"] = [product(*kind) for kind in kinds] * 30
    products["test"] = [product("gold gem", 0.0)]
    for price, target in ((77.0, "price"), (71.0, "log price")):
        products["validation"] = [product("gold gem", price)]
        assert on_products("svr", products).remarks["target"] == target


@pytest.mark.parametrize("rung", REGRESSIONS)
def test_few_rows_are_enough_if_they_share_words_and_are_told_if_not(products, rung):
    products["train"] = [product("gold", 100.0), product("gold", 50.0)]
    assert len(on_products(rung, products).guesses) == 2
    products["train"] = [product("gold", 100.0)]
    with pytest.raises(DataError, match="two train rows or more"):
        on_products(rung, products)
    products["train"] = [product("gold", 100.0), product("wood", 50.0)]
    with pytest.raises(DataError, match=r"the 2 train rows share no words .*data\.limit\.train"):
        on_products(rung, products)


def test_every_rung_that_may_be_configured_is_there():
    for task in (SummarizationTask, PriceTask):
        names = task.model_fields["ladder"].annotation.__args__[0].__args__
        assert set(names) <= set(RUNGS)
