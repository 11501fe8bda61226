"""Talk about products: true as to their order, and silent about money."""

import random
import re
from itertools import pairwise

import pytest

from synthetic.pretraining import product_talk
from synthetic.pretraining.product_talk import GRADES, KINDS, grade, neighbouring_kinds
from synthetic.rows.catalogue import CATEGORIES, MATERIALS, TIERS

TIER_OF = {brand: tier for tier in TIERS for brand in tier.brands}


@pytest.fixture(scope="module")
def documents() -> list[str]:
    rng = random.Random(0)
    return [product_talk.document(rng) for _ in range(6_000)]


def test_a_seed_gives_the_same_documents() -> None:
    first, again, other = (random.Random(seed) for seed in (5, 5, 6))
    assert product_talk.document(first) == product_talk.document(again)
    assert product_talk.document(first) != product_talk.document(other)


def test_no_document_names_money_or_asks_the_task_question(documents: list[str]) -> None:
    money = re.compile(r"[$€£]|\bprices?\b|usd|dollar|euro\b|\bcents?\b|how much", re.IGNORECASE)
    assert not any(money.search(text) for text in documents)


def test_numbers_are_lengths_or_quantities_only(documents: list[str]) -> None:
    known = re.compile(r"\b\d+ cm\b|\b(?:set|pack|box) of \d+|pieces: \d+")
    assert not any(re.search(r"\d", known.sub("", text)) for text in documents)


def test_brand_comparisons_follow_the_tiers(documents: list[str]) -> None:
    found = re.findall(r"[Pp]eople pay more for (\w+) than for (\w+)\.", "\n".join(documents))
    assert len(found) > 50
    assert all(TIER_OF[high].factor > TIER_OF[low].factor for high, low in found)


def test_every_brand_is_said_to_be_of_its_tier(documents: list[str]) -> None:
    found = re.findall(r"\b([A-Z]\w+) is an? (\w+) (?:brand|one)\b", "\n".join(documents))
    assert {(brand, tier.name) for brand, tier in TIER_OF.items()} >= set(found)
    assert {brand for brand, _ in found} == set(TIER_OF)


def test_material_comparisons_follow_the_factors(documents: list[str]) -> None:
    found = re.findall(r"Among [\w ]+, (\w+) costs more than (\w+)\.", "\n".join(documents))
    assert len(found) > 50
    assert all(MATERIALS[high] > MATERIALS[low] for high, low in found)


def test_kind_comparisons_follow_the_bases(documents: list[str]) -> None:
    bases = {kind.plural: kind.base for kind in KINDS}
    text = "\n".join(documents).lower()
    found = re.findall(r"most ([a-z ]+) are worth more than most ([a-z ]+)\.", text)
    assert len(found) > 50
    assert all(bases[high] > bases[low] for high, low in found)


def test_articles_and_templates_are_whole(documents: list[str]) -> None:
    broken = re.compile(r"\b[Aa] [aeio]|\b[Aa]n [^aeiouAEIOU]|\b[Aa] [AEIO]|[{}]|  |\.\.")
    assert [text for text in documents if broken.search(text)] == []


def test_a_document_fits_a_short_context(documents: list[str]) -> None:
    assert all(15 <= len(text.split()) <= 160 for text in documents)


def test_the_vocabulary_is_small(documents: list[str]) -> None:
    assert len(set(re.findall(r"[a-z]+", "\n".join(documents).lower()))) < 1_000


def test_all_kinds_are_spoken_of(documents: list[str]) -> None:
    text = "\n".join(documents)
    kinds = [kind.name for category in CATEGORIES for kind in category.kinds]
    assert [name for name in kinds if name not in text] == []


def test_grades_rise_with_worth() -> None:
    assert all(low < high for (_, low), (_, high) in pairwise(GRADES))
    assert grade(2) == "worthless"
    assert grade(998) == "priceless"


@pytest.mark.parametrize("worth", [1, 5, 60, 300, 999, 5_000])
def test_neighbouring_kinds_enclose_a_worth(worth: float) -> None:
    low, high = neighbouring_kinds(random.Random(0), worth)
    assert low or high
    assert low is None or low.base < worth
    assert high is None or high.base > worth
