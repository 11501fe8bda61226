"""How people rate solutions."""

from finetune.rating.kind_rating import KindRating

RATE = KindRating(
    question="Which solution is better?",
    hint="A right answer is better than a wrong one; of two alike, the one that is easier to "
    "follow.",
    input="Problem",
)
