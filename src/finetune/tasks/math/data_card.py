"""What the data card counts of word problems."""

from finetune.describing.kind_card import KindCard, Measure

CARD = KindCard(
    measures=(
        Measure(title="lines of a solution", of=lambda row: len(row.completion.splitlines())),
    )
)
