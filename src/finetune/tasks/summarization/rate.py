"""How people rate summaries."""

from finetune.rating.kind_rating import KindRating

RATE = KindRating(
    question="Which summary is better?",
    hint="The better one says what matters, nothing that the text does not say, and no more words.",
    input="Text to summarize",
)
