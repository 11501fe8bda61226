import pytest

from finetune.core.errors import DataError
from finetune.scoring.baselines import Answers
from finetune.tasks.price import baselines
from finetune.tasks.price.options import PriceScore

SCORE = PriceScore(hit_within=40.0, hit_fraction=0.2)
BASELINES = {baseline.name: baseline for baseline in baselines.BASELINES}
REGRESSIONS = ("ridge", "ridge_log", "svr", "random_forest", "boosting", "neighbours")


def product(text: str, price: float, category: str | None = None) -> dict:
    return {"text": text, "price": price, "category": category}


def on_products(name: str, products: dict[str, list[dict]]) -> Answers:
    return BASELINES[name].fit(products, SCORE)(products["test"])


@pytest.fixture
def products() -> dict[str, list[dict]]:
    """Gold is expensive, wood cheap; a tin one costs 90 less, one with a gem 70 more."""
    kinds = (("gold", 100.0), ("gold tin", 10.0), ("wood", 10.0), ("wood gem", 80.0))
    return {
        "train": [product(*kind) for kind in kinds] * 30,
        "validation": [product(*kind) for kind in kinds] * 3,
        "test": [product("gold", 100.0), product("wood", 10.0)],
    }


def test_constants_are_those_of_train(products):
    products["train"].append(product("platinum", 1260.0))
    assert on_products("mean", products).predictions == [60.0, 60.0]
    assert on_products("median", products).predictions == [80.0, 80.0]


def test_a_category_has_its_own_median_and_one_unseen_that_of_all():
    prices = {"lamps": (10.0, 20.0, 90.0), "sofas": (200.0, 300.0), None: (15.0,)}
    train = [product("x", price, name) for name, found in prices.items() for price in found]
    test = [product("x", 0.0, name) for name in ("sofas", "lamps", "cars", None)]
    predictions = on_products("category_median", {"train": train, "test": test}).predictions
    assert predictions == [250.0, 20.0, 55.0, 55.0]


def test_basic_features_are_length_numbers_and_names():
    def row(brand: str, watts: int, price: float) -> dict:
        return product(f"{brand} lamp\nIt has {watts} watts.", price)

    # A name in two rows only is not one of them: its rows are like those without any.
    known = [row("Noble", 50, 150.0), row("Aster", 50, 50.0), row("plain", 50, 100.0)] * 10
    train = [*known, row("Other", 50, 700.0), row("Other", 50, 700.0)]
    test = [row(name, 50, 0.0) for name in ("Noble", "Aster", "Other", "plain")]
    splits = {"train": train, "validation": train, "test": test}
    predictions = on_products("basic_features", splits).predictions
    assert predictions == pytest.approx([150, 50, 200, 200])
    larger = [product(f"A lamp\nIt has {watts} watts.", 10.0 * watts) for watts in range(1, 40)]
    splits = {"train": larger, "validation": larger, "test": [larger[4], larger[34]]}
    small, large = on_products("basic_features", splits).predictions
    assert small < 150 < large


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_regression_learns_the_word_that_decides_the_price(products, name):
    def error(predictions: list[float]) -> float:
        rows = products["test"]
        return sum(abs(g - r["price"]) for g, r in zip(predictions, rows, strict=True)) / len(rows)

    learned = on_products(name, products).predictions
    assert error(learned) < 0.3 * error(on_products("mean", products).predictions)
    assert learned == on_products(name, products).predictions


@pytest.mark.parametrize("name", ["basic_features", *REGRESSIONS])
def test_a_regression_stays_between_nothing_and_the_most_expensive_of_train(products, name):
    # A sum of words' prices would make of one about -10, of the other well over 100.
    products["test"] = [product("wood tin", 0), product("gold gem", 0), product("unheard of", 0)]
    assert all(0 <= guess <= 100 for guess in on_products(name, products).predictions)


def test_ridge_is_held_at_the_ends(products):
    products["test"] = [product("wood tin", 0), product("gold gem", 0)]
    assert on_products("ridge", products) == Answers(
        [0, 100], {"target": "price", "target_chosen_on": None}
    )


def test_both_fits_of_ridge_are_there_whatever_validation_would_choose(products):
    # Of one word two prices: the mean on one scale, the geometric mean on the other.
    products["train"] = [product("gold", 10.0), product("gold", 1000.0)] * 30
    products["test"] = [product("gold", 0.0)]
    for price in (505.0, 100.0):
        products["validation"] = [product("gold", price)]
        (arithmetic,), (geometric,) = (
            on_products(name, products).predictions for name in ("ridge", "ridge_log")
        )
        assert arithmetic == pytest.approx(505)
        assert geometric == pytest.approx((11 * 1001) ** 0.5 - 1)
    assert on_products("ridge_log", products).remarks == {
        "target": "log price",
        "target_chosen_on": None,
    }


@pytest.mark.parametrize(
    ("name", "times"), [("random_forest", 30), ("boosting", 30), ("neighbours", 2)]
)
def test_validation_alone_chooses_between_price_and_its_logarithm(products, name, times):
    # Of one word two prices: the scales differ in what lies between them.
    products["train"] = [product("gold", 10.0), product("gold", 1000.0)] * times
    products["test"] = [product("gold", 0.0)]
    chosen = {}
    for price in (505.0, 100.0):
        products["validation"] = [product("gold", price)]
        answers = on_products(name, products)
        chosen[price] = answers.remarks["target"]
        products["test"] = [product("gold", 999.0)]
        assert on_products(name, products) == answers
    assert chosen == {505.0: "price", 100.0: "log price"}


def test_validation_alone_chooses_the_scale_of_support_vectors(products):
    # What train tells of a gem in wood comes to about 75 in gold on one scale, 72.5 on the other.
    kinds = (("wood", 10.0), ("wood gem", 20.0), ("gold", 100.0), ("platinum", 900.0))
    products["train"] = [product(*kind) for kind in kinds] * 30
    products["test"] = [product("gold gem", 0.0)]
    for price, target in ((77.0, "price"), (71.0, "log price")):
        products["validation"] = [product("gold gem", price)]
        assert on_products("svr", products).remarks["target"] == target


@pytest.mark.parametrize("name", REGRESSIONS)
def test_few_rows_are_enough_if_they_share_words_and_are_told_if_not(products, name):
    products["train"] = [product("gold", 100.0), product("gold", 50.0)]
    assert len(on_products(name, products).predictions) == 2
    products["train"] = [product("gold", 100.0)]
    with pytest.raises(DataError, match="two train rows or more"):
        on_products(name, products)
    products["train"] = [product("gold", 100.0), product("wood", 50.0)]
    with pytest.raises(DataError, match=r"the 2 train rows share no words .*data\.limit\.train"):
        on_products(name, products)


def test_validation_and_test_rows_are_answered_by_one_fit(products):
    answer = BASELINES["ridge"].fit(products, SCORE)
    both = answer([*products["validation"], *products["test"]]).predictions
    count = len(products["validation"])
    assert answer(products["validation"]).predictions == pytest.approx(both[:count])
    assert answer(products["test"]).predictions == pytest.approx(both[count:])


def test_somebodys_answer_is_a_price():
    assert baselines.guess("$1,299.00") == 1299.0
    with pytest.raises(ValueError, match="price is 'much', must be a number, such as"):
        baselines.guess("much")
