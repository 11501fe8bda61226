"""Talk about numbers: every statement is true, and every number is met often."""

import random
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from synthetic.pretraining import numbers


@pytest.fixture(scope="module")
def documents() -> list[str]:
    rng = random.Random(0)
    return [numbers.document(rng) for _ in range(3_000)]


def rises_by(step: int, *values: int) -> bool:
    return all(high - low == step for low, high in pairwise(values))


def falls_by(step: int, *values: int) -> bool:
    return rises_by(step, *reversed(values))


def second_half_sorts_first(*values: int) -> bool:
    half = len(values) // 2
    return sorted(values[:half]) == list(values[half:])


def is_nearer(value: int, close: int, far: int) -> bool:
    return abs(close - value) < abs(far - value)


def is_rounded(unit: int) -> Callable[[int, int], bool]:
    return lambda value, result: result % unit == 0 and -unit / 2 < result - value <= unit / 2


# What a form of sentence claims about its numbers, given in the order in which they stand.
CLAIMS: tuple[tuple[str, Callable[..., bool]], ...] = (
    (r"Counting up by", rises_by),
    (r"Counting down by", falls_by),
    (r"\d+ comes after", lambda value, low, high: low + 1 == value == high - 1),
    (r"The numbers next to", lambda value, low, high: low + 1 == value == high - 1),
    (r"One more than", lambda value, high, low: low + 1 == value == high - 1),
    (r"Between", lambda low, high, *inside: low < min(inside) and max(inside) < high),
    (r"\d+ is greater than", lambda high, low: high > low),
    (r"\d+ is smaller than", lambda low, high: low < high),
    (r"\d+ is less than", lambda low, high, more, less: low == less < more == high),
    (r"Which is greater", lambda first, second, answer: answer == max(first, second)),
    (r"Which is smaller", lambda first, second, answer: answer == min(first, second)),
    (r"Of", lambda *values: values[-2:] == (max(values[:-2]), min(values[:-2]))),
    (r"In order", second_half_sorts_first),
    (r"From the largest", lambda *values: list(values) == sorted(values, reverse=True)),
    (r"\d+ is close to", is_nearer),
    (r"\d+ is nearer to", lambda close, value, far: is_nearer(value, close, far)),
    (r"Is \d+ nearer to", lambda *values: is_nearer(*values[:3]) and values[3] == values[1]),
    (r"About", lambda value, *near: all(abs(each - value) <= max(5, value / 10) for each in near)),
    (r"\d+ to the nearest ten", is_rounded(10)),
    (r"\d+ to the nearest hundred", is_rounded(100)),
    (r"Twice", lambda value, double: double == 2 * value),
    (r"Half of", lambda double, value: double == 2 * value),
    (r"\d+ and \d+ make", lambda first, second, total: first + second == total),
    (r"\d+ less", lambda total, part, rest: total - part == rest),
    (r"From \d+ to", lambda low, high, way: high - low == way),
    (r"The truth is", is_nearer),
    (r"The guess was", lambda guess, truth, off: abs(guess - truth) == off),
    (
        r"An? \w+ of \d+ \w+ is (longer|heavier|wider|taller|older)",
        lambda high, low: high > low,
    ),
    (
        r"An? \w+ of \d+ \w+ is (shorter|lighter|narrower|lower|newer)",
        lambda low, high: low < high,
    ),
)


def values_in(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def test_every_statement_is_true(documents: list[str]) -> None:
    met = Counter[str]()
    for sentence in re.split(r"(?<=\.) ", " ".join(documents)):
        forms = [(form, holds) for form, holds in CLAIMS if re.match(rf"{form}\b", sentence)]
        assert len(forms) == 1, sentence
        form, holds = forms[0]
        assert holds(*values_in(sentence)), sentence
        met[form] += 1
    assert set(met) == {form for form, _ in CLAIMS}


def test_a_seed_gives_the_same_documents() -> None:
    first, again, other = (random.Random(seed) for seed in (5, 5, 6))
    assert numbers.document(first) == numbers.document(again)
    assert numbers.document(first) != numbers.document(other)


def test_every_number_occurs_often(documents: list[str]) -> None:
    counts = Counter(values_in(" ".join(documents)))
    assert set(counts) == set(range(1_000))
    assert min(counts.values()) >= 10


def test_nearly_every_number_meets_the_next_one(documents: list[str]) -> None:
    pairs = {pair for text in documents for pair in pairwise(values_in(text))}
    missing = [n for n in range(999) if (n, n + 1) not in pairs and (n + 1, n) not in pairs]
    assert len(missing) < 20


def test_documents_hold_no_money(documents: list[str]) -> None:
    money = re.compile(r"[$€£]|price|cost|usd|dollar|euro|cents?\b|worth|pay\b", re.IGNORECASE)
    assert not any(money.search(text) for text in documents)


def test_documents_are_short_and_full_of_numbers(documents: list[str]) -> None:
    assert all(30 <= len(text.split()) <= 120 for text in documents)
    assert all(20 <= len(values_in(text)) <= 60 for text in documents)


@pytest.mark.parametrize("largest", [0, 1, 9, 999])
def test_number_reaches_both_ends(largest: int) -> None:
    rng = random.Random(0)
    drawn = {numbers.number(rng, largest) for _ in range(20_000)}
    assert (min(drawn), max(drawn)) == (0, largest)


def test_listing() -> None:
    assert numbers.listing([3, 5, 8]) == "3, 5 and 8"
