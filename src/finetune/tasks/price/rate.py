"""How people rate prices."""

from finetune.rating.kind_rating import KindRating
from finetune.tasks.price.options import Answer

RATE = KindRating(
    question="Which price is more likely?",
    hint="What would this product cost, new, in a shop?",
    input="Product",
    unit=Answer().currency,
    unit_param="answer.currency",
)
