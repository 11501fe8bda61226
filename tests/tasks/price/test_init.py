import pytest

from finetune.columns.candidates import Evidence
from finetune.columns.description import describe
from finetune.tasks.price import init
from finetune.tasks.price.rows import Row


@pytest.mark.parametrize(
    ("row", "paths", "evidence"),
    [
        ({"price": 5, "list_price": 6, "rating": 4.5}, ["price", "list_price", "rating"], "NAME"),
        ({"list_price": 6, "rating": 4.5}, ["list_price", "rating"], "NAME"),
        ({"rating": 4.5, "a": "$5.00"}, ["a", "rating"], "NAME"),
        ({"rating": 4.5, "a": "5 USD"}, ["a", "rating"], "NAME"),
        ({"a": "$5.00", "b": "$6.00"}, ["a", "b"], "AMBIGUOUS"),
        ({"rating": 4.5}, ["rating"], "AMBIGUOUS"),
        ({"id": 7, "name": "Lamp", "preis": "5,00 €"}, [], "NO_CANDIDATES"),
    ],
)
def test_a_price_is_a_number_by_its_name_or_its_currency(row, paths, evidence):
    candidates = init.prices(describe([row]), [])
    assert (candidates.paths, candidates.evidence) == (paths, Evidence[evidence])


def test_the_input_is_no_price():
    assert init.prices(describe([{"price": 5, "cost": 6}]), ["price"]).paths == ["cost"]


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"text": "A lamp", "Warengruppe": "Licht"}, {"category": "Warengruppe"}),
        ({"group": "A lamp of glass, as new"}, {}),
        ({"category": 5}, {}),
        ({"kind": "Lights"}, {}),
        ({"genre": "Taken", "type": "Free"}, {"category": "type"}),
    ],
)
def test_a_category_is_a_short_text_of_that_name(row, fields):
    assert init.category(describe([row]), ["genre"]) == fields


def test_prices_beyond_the_highest_are_counted():
    rows = [Row(id=str(n), text="x", price=n, category=None) for n in (5, 999, 1000, 4000)]
    assert init.counts(rows) == {"found_price_above_maximum": 2}
