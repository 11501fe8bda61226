"""The embedded shop: its prices follow its attributes, and its texts state these and no price."""

import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Hashable
from itertools import islice
from statistics import fmean, median, pstdev, pvariance

import pytest

from synthetic.rows.catalogue import (
    CATEGORIES,
    CONDITIONS,
    EDITIONS,
    MATERIALS,
    SIZES,
    TIERS,
    Level,
)
from synthetic.rows.products import (
    NOISE,
    Product,
    capitalised,
    product,
    rows,
    with_article,
)

BASES = {kind.name: kind.base for category in CATEGORIES for kind in category.kinds}
WORDINGS = {
    (attribute, level.name): level.wordings
    for attribute, levels in {
        "size": SIZES,
        "condition": CONDITIONS,
        "edition": EDITIONS,
    }.items()
    for level in levels
}


@pytest.fixture(scope="module")
def products() -> list[Product]:
    rng = random.Random(0)
    return [product(rng) for _ in range(8_000)]


def mean_log_ratio(
    products: list[Product], group: Callable[[Product], Hashable]
) -> dict[Hashable, float]:
    """The mean log price over the kind's base, by group: what the group adds to a price."""
    ratios = defaultdict(list)
    for each in products:
        ratios[group(each)].append(math.log(each.price / BASES[each.kind]))
    return {name: fmean(values) for name, values in ratios.items()}


def log_noise(products: list[Product]) -> list[float]:
    return [math.log(each.price / each.noiseless_price) for each in products]


def test_a_seed_gives_the_same_rows() -> None:
    first, again, other = (list(islice(rows(random.Random(seed)), 50)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_no_text_comes_twice() -> None:
    texts = [row["text"] for row in islice(rows(random.Random(1)), 5_000)]
    assert len(set(texts)) == len(texts)


def test_rows_come_from_many_categories() -> None:
    categories = {row["category"] for row in islice(rows(random.Random(2)), 1_000)}
    assert categories == {category.name for category in CATEGORIES}
    assert len(categories) >= 8


def test_prices_are_cents_within_1_and_999(products: list[Product]) -> None:
    assert all(1 <= each.price <= 999 for each in products)
    assert all(each.price == round(each.price, 2) for each in products)


def test_prices_spread_over_the_whole_range(products: list[Product]) -> None:
    prices = [each.price for each in products]
    middle = median(prices)
    assert 60 < middle < 110
    assert 130 < fmean(prices) < 180
    assert 100 < fmean(abs(price - middle) for price in prices) < 130


def test_noise_is_all_that_the_attributes_leave_open(products: list[Product]) -> None:
    noise = log_noise(products)
    assert pstdev(noise) == pytest.approx(NOISE, rel=0.05)
    assert fmean(noise) == pytest.approx(0, abs=0.01)
    explained = 1 - pvariance(noise) / pvariance([math.log(each.price) for each in products])
    assert explained > 0.95


@pytest.mark.parametrize(
    ("attribute", "levels"),
    [
        ("tier", TIERS),
        ("size", SIZES),
        ("condition", CONDITIONS),
        ("edition", EDITIONS),
    ],
)
def test_a_higher_level_makes_a_higher_price(
    products: list[Product], attribute: str, levels: tuple[Level, ...]
) -> None:
    by_level = mean_log_ratio(products, lambda each: getattr(each, attribute))
    by_factor = sorted(levels, key=lambda level: level.factor)
    assert by_level[by_factor[-1].name] - by_level[by_factor[0].name] > 0.25
    values = [by_level[level.name] for level in by_factor]
    assert values == sorted(values)


def test_a_dearer_material_makes_a_higher_price(products: list[Product]) -> None:
    by_material = mean_log_ratio(
        [each for each in products if each.quantity == 1], lambda each: each.material
    )
    assert by_material["plastic"] < by_material["steel"] < by_material["titanium"]
    assert by_material["pine"] < by_material["oak"] < by_material["walnut"]
    assert set(by_material) == set(MATERIALS)


def test_a_larger_set_makes_a_higher_price(products: list[Product]) -> None:
    packed = {kind.name for category in CATEGORIES for kind in category.kinds if 12 in kind.sets}
    by_quantity = mean_log_ratio(
        [each for each in products if each.kind in packed], lambda each: each.quantity
    )
    assert by_quantity[1] < by_quantity[4] < by_quantity[12]


def test_a_text_states_every_attribute(products: list[Product]) -> None:
    plurals = {kind.name: kind.plural for category in CATEGORIES for kind in category.kinds}
    for each in products:
        text = each.text.lower()
        assert each.brand in each.text
        assert each.material in text
        assert (each.kind if each.quantity == 1 else plurals[each.kind]) in text
        assert each.quantity == 1 or f"of {each.quantity}" in each.text
        for attribute in ("size", "condition", "edition"):
            wordings = WORDINGS[attribute, getattr(each, attribute)]
            assert any(wording in text for wording in wordings), (attribute, text)


def test_a_text_is_a_title_and_a_short_paragraph(products: list[Product]) -> None:
    assert all(each.text.count("\n") == 1 for each in products)
    lengths = [len(each.text.split()) for each in products]
    assert 25 <= fmean(lengths) <= 45
    assert max(lengths) < 80
    assert not any(re.search(r"[{}]|  ", each.text) for each in products)


def test_articles_fit(products: list[Product]) -> None:
    assert not any(re.search(r"\b[Aa] [aeio]|\b[Aa]n [^aeiou]", each.text) for each in products)


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("oak table", "an oak table"),
        ("Elmarin sofa", "an Elmarin sofa"),
        ("used lamp", "a used lamp"),
        ("ukulele", "a ukulele"),
        ("upgraded tent", "an upgraded tent"),
    ],
)
def test_with_article(noun: str, expected: str) -> None:
    assert with_article(noun) == expected


def test_capitalised_leaves_names_alone() -> None:
    assert capitalised("people like Kipp.") == "People like Kipp."
    assert capitalised("") == ""


def test_no_text_speaks_of_money(products: list[Product]) -> None:
    money = re.compile(r"[$€£]|price|cost|usd|dollar|cents?\b|pay\b", re.IGNORECASE)
    assert not any(money.search(each.text) for each in products)


def test_a_price_stands_in_its_text_by_chance_only(products: list[Product]) -> None:
    """Held against the prices of another product of the same kind."""
    by_kind = defaultdict(list)
    for each in products:
        by_kind[each.kind].append(each)

    def is_stated(text: str, price: float) -> bool:
        return str(round(price)) in re.findall(r"\d+", text)

    own = other = 0
    for same_kind in by_kind.values():
        shifted = same_kind[1:] + same_kind[:1]
        own += sum(is_stated(each.text, each.price) for each in same_kind)
        other += sum(
            is_stated(each.text, stranger.price)
            for each, stranger in zip(same_kind, shifted, strict=True)
        )
    assert (own - other) / len(products) < 0.01
