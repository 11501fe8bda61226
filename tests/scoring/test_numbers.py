import math

import pytest

from finetune.scoring import numbers


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (38.696, 2, "38.70"),
        (-0.51, 1, "−0.5"),
        (-0.001, 2, "0.00"),  # no −0.00
        (1234.5, 2, "1,234"),
        (3.5e12, 2, "3.5e+12"),
        (None, 2, "–"),
        (math.nan, 2, "–"),
        (math.inf, 2, "–"),
        (200, 0, "200"),
    ],
)
def test_numbers_are_as_a_person_reads_them(value, decimals, text):
    assert numbers.number(value, decimals) == text


def test_a_difference_has_its_sign():
    assert numbers.signed(1.25, 1) == "+1.2"
    assert numbers.signed(-1.25, 1) == "−1.2"
    assert numbers.signed(0.0, 1) == "0.0"


def test_a_part_is_given_with_the_whole():
    assert numbers.share(17, 200) == "17 of 200 (8.5\N{NO-BREAK SPACE}%)"
    assert numbers.share(3, 0) == "3"
