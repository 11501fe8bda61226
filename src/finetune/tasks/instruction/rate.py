"""How people rate responses."""

from finetune.rating.kind_rating import KindRating

RATE = KindRating(
    question="Which response is better?",
    hint="It does what was asked, is true, and has nothing that was not asked for.",
    input="Instruction",
)
