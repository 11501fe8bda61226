"""What the data card counts of products with a price."""

from typing import Any

from finetune.core.schema import Prompt
from finetune.describing.kind_card import Grouping, KindCard, Measure
from finetune.tasks.price.options import answer_to

UNKNOWN = "not known"


def of_currency(currency: str) -> KindCard:
    """Prices in a currency, and categories."""
    return KindCard(
        measures=(Measure(title=f"price ({currency})", of=lambda row: row.price),),
        groupings=(Grouping(title="category", of=lambda row: [row.category or UNKNOWN]),),
    )


CARD = of_currency("USD")


def of_prompt(prompt: Prompt) -> dict[str, Any]:
    """`CARD` in a task's own currency."""
    return {"CARD": of_currency(answer_to(prompt).currency)}
