"""What the data card counts of texts with labels."""

from finetune.describing.kind_card import Grouping, KindCard

CARD = KindCard(groupings=(Grouping(title="label", of=lambda row: [row.label]),))
