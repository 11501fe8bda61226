"""How people rate labels."""

from finetune.rating.kind_rating import KindRating

RATE = KindRating(
    question="Which label fits better?",
    hint="If neither fits, it is a tie.",
    input="Text to label",
)
