"""How people rate summaries."""

from finetune.rating.kind_rating import KindRating

RATE = KindRating(
    question="Which summary is better?",
    hint="It says what matters, nothing that the text does not say, and is brief.",
    input="Text to summarize",
)
