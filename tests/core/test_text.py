import pytest

from finetune.core import text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("  a  \n\tb\t", "a\nb"),
        ("\n\na\n\nb\n", "a\n\nb"),
        (" \r\n ", ""),
        ("a\u2028b", "a\u2028b"),
    ],
)
def test_line_ends_and_outer_blanks_are_normalized(raw, clean):
    assert text.normalized(raw) == clean


@pytest.mark.parametrize(
    ("raw", "row_id"), [("7", "7"), (7, "7"), (0, "0"), ("train-7", "train-7")]
)
def test_an_id_is_text_or_an_integer(raw, row_id):
    assert text.id_field({"id": raw}) == row_id


@pytest.mark.parametrize("raw", [None, "", "  ", True, 1.5, ["7"]])
def test_anything_else_is_no_id(raw):
    with pytest.raises(ValueError, match=r"id is .*, must be text or an integer"):
        text.id_field({"id": raw})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "text is missing"),
        ({"text": None}, "text is missing"),
        ({"text": 5}, "text is 5, must"),
    ],
)
def test_a_text_that_is_none_is_told(row, said):
    with pytest.raises(ValueError, match=said):
        text.text_field(row, "text")


@pytest.mark.parametrize(
    ("raw", "amount"),
    [
        ("1e3", 1000.0),
        ("$1,299.00", 1299.0),
        ("5 USD", 5.0),
        ("5 €", "5 €"),
        ("1.299,00", "1.299,00"),
    ],
)
def test_an_amount_is_a_number_with_or_without_usd(raw, amount):
    assert text.amount(raw, "price") == amount


def test_an_amount_that_may_be_two_is_a_mistake():
    with pytest.raises(
        ValueError, match=r"cost is '1,299', which may be 1\.299 or 1299; write \$1,"
    ):
        text.amount("1,299", "cost")


@pytest.mark.parametrize(
    ("said", "amount"),
    [
        ("25", 25.0),
        ("$25.99", 25.99),
        ("25 USD", 25.0),
        ("It costs $1,299.00, maybe $1,500.", 1299.0),
        ("2 lamps for about $40", 40.0),
        ("around 20 to 30 dollars", 20.0),
        ("the X100 costs 50", 50.0),
        ("the WH-1000XM4 costs 350", 350.0),
        ("RTX-3080: 700", 700.0),
        ("1,29,900", 129900.0),
        ("12,50", None),
        ("12,50 USD", None),
        ("-5", None),
        ("-$5", None),
        ("$-5", None),
        ("-5 USD", None),
        ("- $5", 5.0),
        ("15-20", 15.0),
        ("15-20 USD", 20.0),
        ("$15-20", 15.0),
        ("from 20. Or 3,50 less", 20.0),
        ("no idea", None),
        ("", None),
    ],
)
def test_the_amount_in_a_text_is_the_first_marked_number_or_else_the_first(said, amount):
    assert text.amount_in(said) == amount


@pytest.mark.parametrize(
    ("said", "amount"),
    [
        ("the MEUR 7 fund, EUR 5", 5),
        ("EUROPE 12 costs 5 EUR", 5),
        ("12 EUROS", 12),
        ("model 3, 5EUR", 5),
        ("model 3, EUR5", 5),
        ("model 3, €5", 5),
        ("15,99 €", None),
        ("1.299,00 €", None),
        ("€ 1,299.00.", 1299),
        ("-5 €", None),
    ],
)
def test_a_currencys_code_is_a_word_of_its_own(said, amount):
    assert text.amount_in(said, ("€", "EUR")) == amount
