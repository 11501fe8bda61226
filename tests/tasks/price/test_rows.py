import math
import time

import pytest

from finetune.tasks.price import rows

QUESTION = "How much does this cost to the nearest dollar?\n\n"
DESCRIPTION = "Landscape Lights, 8 Pack\nA warm glow. Saves $5 a month, or so."


def row(text: str, usd: object = 157.99, **fields: object) -> dict:
    return {"id": "train-0", "text": text, "price": usd, "category": None, **fields}


@pytest.mark.parametrize(
    "text",
    [
        f"{QUESTION}{DESCRIPTION}\n\nPrice is $158.00",  # as in the train split
        f"{QUESTION}{DESCRIPTION}\n\nPrice is $",  # as in the test split
        f"{QUESTION}{DESCRIPTION}\n\nPrice is $1,158.00\n",
        f"{QUESTION}{DESCRIPTION}\r\n\r\nPrice is $158.00 ",
        f"\n{QUESTION.upper()}{DESCRIPTION}\n\nprice is $158",
        f"{DESCRIPTION}\n\nPrice is $158.00",
        DESCRIPTION,
    ],
)
def test_question_and_answer_go_and_the_description_stays(text):
    body = rows.clean(row(text)).input
    assert body == DESCRIPTION
    assert "158" not in body


@pytest.mark.parametrize(
    "text",
    [
        "A coupon book: how much does this cost to the nearest dollar?\nMore than you think",
        "The Price is Right game\nContestants guess; Price is $5 or $9 on each card",
        "Was $158.00 last year",
        "A puzzle of 500 pieces. The price is $20",
    ],
)
def test_what_only_looks_like_question_or_answer_stays(text):
    assert rows.description(f"{QUESTION}{text}\n\nPrice is $9.00") == text


def test_a_description_without_an_answer_keeps_its_last_sentence():
    assert rows.description("A puzzle. The price is $20.") == "A puzzle. The price is $20."


def test_other_fields_come_through_and_unknown_ones_do_not():
    clean = rows.clean(row("x", 10, category="Tools", place="line 1", brand="ACME"))
    known = {"id": "train-0", "text": "x", "price": 10.0, "category": "Tools"}
    assert clean.model_dump(exclude_unset=True) == known
    assert isinstance(clean.price, float)
    assert rows.clean(row("x", category="")).category is None


def test_a_price_in_csv_is_text():
    assert rows.clean(row("x", "157.99")).price == 157.99


@pytest.mark.parametrize(
    ("text", "usd"),
    [
        ("$1,299.00", 1299.0), ("$ 12", 12.0), ("1,299.00", 1299.0), ("$1,299", 1299.0),
        ("1,234,567", 1234567.0), ("1,299.00 USD", 1299.0), ("US$5.5", 5.5), (" 7 ", 7.0),
    ],
)  # fmt: skip
def test_a_price_may_be_written_as_people_in_the_us_do(text, usd):
    assert rows.clean(row("x", text)).price == usd


@pytest.mark.parametrize(
    "text", ["1.299,00 €", "1.299,00", "12,5", "€5", "$", "5-7", "-$5", "1,29,900", "$1,2990"]
)
def test_a_price_of_other_forms_is_a_bad_field(text):
    with pytest.raises(ValueError, match="must be a number, such as"):
        rows.clean(row("x", text))


def test_a_comma_that_may_be_a_decimal_mark_is_a_bad_field():
    with pytest.raises(ValueError, match=r"'1,299', which may be 1\.299 or 1299; write \$1,299"):
        rows.clean(row("x", "1,299"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"price": None}, "price is None, must be a number, such as 12.5 or $1,299.00"),
        ({"price": "abc"}, "price is 'abc', must be a number, such as 12.5 or $1,299.00"),
        ({"price": ""}, "price is '', must be a number, such as 12.5 or $1,299.00"),
        ({"price": True}, "price is True, must be a number, such as 12.5 or $1,299.00"),
        ({"price": [5]}, "price is [5], must be a number, such as 12.5 or $1,299.00"),
        ({"price": -1}, "price is -1, must be a number from 0 to 1e+09"),
        ({"price": float("nan")}, "price is nan, must be a number from 0 to 1e+09"),
        ({"price": "inf"}, "price is inf, must be a number from 0 to 1e+09"),
        ({"text": None}, "text is missing"),
        ({"text": 5}, "text is 5, must be text"),
        ({"id": ""}, "id is '', must be text or an integer"),
        ({"category": 5}, "category is 5, must be text or missing"),
    ],
)
def test_a_bad_field_is_told_with_its_value(fields, said):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (the message is compared whole)
        rows.clean(row("x") | fields)
    assert str(raised.value) == said


def test_a_price_beyond_any_number_is_a_bad_field():
    with pytest.raises(ValueError, match="price"):
        rows.clean(row("x", 10**400))


@pytest.mark.parametrize(
    ("usd", "dollars"),
    [
        (0, 0), (0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3), (157.99, 158),
        (998.5, 999), (999.5, 999), (12_345, 999), (-3, 0),
    ],
)  # fmt: skip
def test_prices_are_rounded_half_up_within_what_the_model_can_say(usd, dollars):
    assert rows.nearest(usd, rows.DEFAULT) == dollars
    product = rows.Row(id="1", text="x", price=usd, category=None)
    assert product.completion == str(dollars)


@pytest.mark.parametrize(
    ("price", "unit", "number"),
    [
        (0.35, 0.1, 4), (0.34, 0.1, 3), (0.15, 0.1, 2), (2.5, 0.01, 250), (149.5, 1, 150),
        (150, 100, 2),
    ],
)  # fmt: skip
def test_units_that_are_no_binary_fractions_are_rounded_half_up_too(price, unit, number):
    assert rows.nearest(price, rows.Answer(unit=unit)) == number
    assert rows.is_above(price, rows.Answer(unit=unit, maximum=9)) == (number > 9)


def test_every_amount_of_cents_is_rounded_as_it_was():
    amounts = [cents / 100 for cents in range(100_100)]
    rounded = [rows.nearest(amount, rows.DEFAULT) for amount in amounts]
    assert rounded == [min(999, math.floor(amount + 0.5)) for amount in amounts]


def test_what_cleaning_changes_is_found():
    train = row(f"{QUESTION}{DESCRIPTION}\n\nPrice is $158.00", category="Garden")
    assert set(rows.peculiarities(train)) == {
        "question_in_text", "answer_in_text", "some_price_in_description",
    }  # fmt: skip
    plain = row("A lamp\nPrice is $9.00")
    assert set(rows.peculiarities(plain)) == {"answer_in_text", "category_missing"}
    assert not set(rows.peculiarities(row("A lamp for 5 dollars", category="Garden")))


@pytest.mark.parametrize(
    ("price", "is_above"), [(999.49, False), (999.5, True), ("$1,299.00", True)]
)
def test_prices_above_what_the_model_can_say_are_counted(price, is_above):
    found = set(rows.peculiarities(row("A lamp", price, category="Garden")))
    assert ("price_above_maximum" in found) == is_above


@pytest.mark.parametrize("blank", ["\n", " ", "\t", " \n", "\r\n", "\n\u00a0"])
@pytest.mark.parametrize("end", ["a lamp", "price is $5 or so", "price is $5", ""])
def test_many_blanks_take_no_time(blank, end):
    text = f"A{blank * 20_000}lamp{blank * 20_000}{end}"
    started = time.perf_counter()
    list(rows.peculiarities(row(text)))
    rows.clean(row(text))
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("blanks", ["\n", " \n\t\n ", "\r\n", "\u2028\n\x0b"])
def test_an_answer_goes_with_the_blanks_around_it(blanks):
    assert rows.description(f"A lamp{blanks}Price is $9.00{blanks}") == "A lamp"
    assert rows.description(f"{blanks}Price is $9.00{blanks}") == ""


@pytest.mark.parametrize(
    ("text", "given_away"),
    [
        ("Sold for $157.99 elsewhere", True),
        ("Sold for $1,157.99 or $ 158", True),
        ("Was $157.20", False),
        ("158 pieces", False),
    ],
)
def test_a_description_that_says_the_price_is_seen(text, given_away):
    row = rows.Row(id="1", text=text, price=158.2, category=None)
    assert row.answer_in_input is given_away
