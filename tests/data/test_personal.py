import pytest

from finetune.core.errors import ParamsError
from finetune.data import cleaning, personal
from finetune.data.personal import Screened
from finetune.tasks.price import rows as price
from finetune.tasks.summarization import rows as summarization

REGIONS = ["US", "GB"]


def found(text: str, regions: list[str] = REGIONS) -> list[tuple[str, str]]:
    return [(each.name, text[each.start : each.end]) for each in personal.find(text, regions)]


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("email_addresses", "write to Jo.Doe+x@mail.example.co.uk, please", None),
        ("email_addresses", "<jo_doe@example.com>", "jo_doe@example.com"),
        ("phone_numbers", "it's 917-223-1211.", "917-223-1211"),
        ("phone_numbers", "Call (650) 253-0000 now", "(650) 253-0000"),
        ("phone_numbers", "020 8366 1177", "020 8366 1177"),
        ("phone_numbers", "my number: +49 30 901820", "+49 30 901820"),
        ("card_numbers", "4111 1111 1111 1111", None),
        ("card_numbers", "378282246310005", None),
        ("account_numbers", "DE89 3704 0044 0532 0130 00 BIC X", "DE89 3704 0044 0532 0130 00"),
        ("account_numbers", "to GB29NWBK60161331926819.", "GB29NWBK60161331926819"),
        ("national_ids", "CPF 390.533.447-05", "390.533.447-05"),
        ("national_ids", "RCCMNL83S18D969H", None),
        ("national_ids", "131052-308T", None),
        ("national_ids", "2 55 08 14 168 025 38", None),
    ],
)
def test_personal_data_is_found_where_it_stands(name, text, part):
    if name == "email_addresses" and part is None:
        part = "Jo.Doe+x@mail.example.co.uk"
    assert found(text) == [(name, part or text)]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # wrong check digits, from here on
        "DE89 3704 0044 0532 0130 01",
        "390.533.447-06",
        "RCCMNL83S18D969K",
        "EAN 4006381333931",  # a code of a product
        "12345678901231",  # a GTIN of fourteen digits
        "ISBN 978-3-16-148410-0",
        "Part 435-4301-010, fits 1998-2004",
        "10.5 x 20 - 30 inches, 2019-10-10 10:30",
        "850 / 900 / 1800 MHz, 61 62 63 64 65",
        "icon@2x.png, @home, 5 @ 20.99",
        "123456789",  # a bare run of digits may be anything
        "078-05-1120",  # an id without check digits
    ],
)
def test_numbers_of_products_are_none(text):
    assert found(text) == []


def test_without_a_region_only_numbers_with_a_country_code_are_known():
    text = "917-223-1211 or +1 917-223-1211"
    assert found(text, []) == [("phone_numbers", "+1 917-223-1211")]


def test_nothing_is_found_twice_and_masks_say_what_stood_there():
    text = "Mail 9172231211@example.com, card 4111-1111-1111-1111, tel +1 917-223-1211"
    spans = personal.find(text, REGIONS)
    assert [each.name for each in spans] == ["email_addresses", "card_numbers", "phone_numbers"]
    assert personal.masked(text, spans) == "Mail <email>, card <card_number>, tel <phone>"


@pytest.mark.parametrize("text", ["a@" * 20000, "DE89" * 10000, "(1" * 20000, "1-" * 20000])
def test_a_long_text_takes_no_long(text):
    assert found(text) == []


RAW = [
    {
        "place": "row 1",
        "id": "jo@example.com",
        "dialogue": "Jo: jo@example.com, or al@example.com, or 917-223-1211",
        "summary": ["Write to jo@example.com.", "Ask Jo."],
    },
    {"place": "row 2", "id": "2", "dialogue": "Jo: Hi.", "summary": "Jo greets."},
]


@pytest.mark.parametrize("is_masking", [False, True])
def test_rows_are_counted_and_both_input_and_target_masked_where_asked(is_masking):
    kind = Screened(summarization, ("dialogue", "summary"), REGIONS, is_masking)
    split = cleaning.clean(RAW, kind, "train.json")
    counts = {name: count for name, count in split.counts.items() if name.startswith("found_")}
    assert counts == {
        "found_several_references": 1,
        "found_email_addresses": 1,
        "found_phone_numbers": 1,
    }
    first, second = split.rows
    assert first.id == "jo@example.com"
    assert second == summarization.clean(RAW[1])
    if is_masking:
        assert first.input == "Jo: <email>, or <email>, or <phone>"
        assert first.references == ("Write to <email>.", "Ask Jo.")
    else:
        assert first == summarization.clean(RAW[0])


def test_numbers_and_missing_fields_stay():
    kind = Screened(price, ("text", "price", "category"), REGIONS, True)
    row = kind.clean({"id": 1, "text": "Mail a@example.com", "price": 9.5})
    assert (row.text, row.price, row.category) == ("Mail <email>", 9.5, None)


def test_a_region_that_is_none_is_a_mistake():
    with pytest.raises(ParamsError, match=r"data\.phone_regions: 'XX' is no country"):
        Screened(price, ("text",), ["XX"], False)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("bob@example.com으로 연락", "<email>으로 연락"),
        ("邮箱bob@example.com请", "邮箱<email>请"),
        ("bob@xn--e1afmkfd.xn--p1ai", "<email>"),
        ("身份证11010519491231002X", "身份证<national_id>"),
        ("电话+86 138 0013 8000", "电话<phone>"),
        ("卡号4111 1111 1111 1111", "卡号<card_number>"),
        ("650\u2011253\u20130000", "<phone>"),
        ("650-253-0000 / 650-253-0001", "<phone> / <phone>"),
        ("650-253-0000 650-253-0001", "<phone> <phone>"),
        ("Call 650-253-0000 2024-01-15", "Call <phone> 2024-01-15"),
    ],
)
def test_neither_other_scripts_nor_other_numbers_beside_it_hide_it(text, masked):
    assert personal.masked(text, personal.find(text, REGIONS)) == masked
