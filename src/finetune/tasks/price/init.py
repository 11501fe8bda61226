"""How `finetune init` sets up a task of prices."""

from collections.abc import Collection, Sequence
from pathlib import Path

from finetune.columns.candidates import ID, Candidates, longest_texts, ranked, usable
from finetune.columns.description import Column, Columns
from finetune.columns.kind_init import Fields, KindInit, Role
from finetune.tasks.price.rows import DEFAULT, Row, is_above

# Words in the names of columns.
PRICE = ("price", "preis", "prix", "precio", "prezzo", "cost", "usd", "amount", "betrag")
DESCRIPTION = ("description", "beschreibung", "descripción", "text", "details", "product", "item")
CATEGORY = (
    "category", "kategorie", "categoría", "catégorie", "department", "genre", "type", "group",
    "gruppe",
)  # fmt: skip
# A category has fewer words.
MAX_CATEGORY_WORDS = 5


def prices(columns: Columns, taken: Collection[str]) -> Candidates:
    """Numbers that are no ids; by their names, or a sign or code of dollars."""
    numbers = [c for c in usable(columns, taken) if c.type == "number" and not c.is_named(ID)]
    return ranked(numbers, PRICE, [c for c in numbers if _is_money(c)])


def _is_money(column: Column) -> bool:
    return any("$" in value or "USD" in value for value in column.values if isinstance(value, str))


def descriptions(columns: Columns, taken: Collection[str]) -> Candidates:
    """Texts, longest first."""
    return longest_texts(columns, taken, DESCRIPTION)


def category(columns: Columns, taken: Collection[str]) -> Fields:
    """The first column of short texts that is named as a category."""
    for column in columns.values():
        is_label = column.type == "text" and column.words < MAX_CATEGORY_WORDS
        if is_label and column.path not in taken and column.is_named(CATEGORY):
            return {"category": column.path}
    return {}


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """The number of prices above the highest answer, by what the config begins with."""
    return {"found_price_above_maximum": sum(is_above(row.price, DEFAULT) for row in rows)}


INIT = KindInit(
    title="Prices",
    template=Path(__file__).with_name("init.yaml.j2"),
    input=Role("text", "texts", descriptions),
    target=Role("price", "amounts, such as 12.5 or $1,299.00", prices),
    target_types=frozenset({"number"}),
    optional_fields=category,
    counts=counts,
)
