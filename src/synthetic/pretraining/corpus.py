"""The text that the embedded base model is pretrained on: an endless, seeded mix of documents."""

import random
from collections.abc import Callable, Iterator

from synthetic.pretraining import numbers, product_talk, retellings

# Shares of *documents*. Dialogues with retellings are three times as long as the others and teach
# the skill that takes the most steps, pointing back into a text.
MIX: tuple[tuple[Callable[[random.Random], str], float], ...] = (
    (retellings.document, 0.45),
    (product_talk.document, 0.40),
    (numbers.document, 0.15),
)


def documents(seed: int) -> Iterator[str]:
    """Endless documents; the same seed gives the same ones in the same order."""
    rng = random.Random(seed)
    makers, shares = zip(*MIX, strict=True)
    while True:
        (make,) = rng.choices(makers, shares)
        yield make(rng)


def of_kind(make: Callable[[random.Random], str], seed: int) -> Iterator[str]:
    """Endless documents of one kind."""
    rng = random.Random(seed)
    while True:
        yield make(rng)
