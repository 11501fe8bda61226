"""What the data card counts of instructions."""

from finetune.describing.kind_card import KindCard, Measure
from finetune.tasks.instruction.rows import Row


def _facts(row: Row) -> float | None:
    return len(row.facts) or None


CARD = KindCard(measures=(Measure(title="facts of a response that lists them", of=_facts),))
