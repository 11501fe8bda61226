"""The pretraining corpus of the embedded base model: an endless, seeded mix of documents."""

import random
from collections.abc import Callable, Iterator

from synthetic.pretraining import numbers, product_talk, retellings

# Fractions of documents, not of tokens. Dialogues with retellings are three times as long as the
# others, and teach what takes the most steps: copying from the context.
MIX: tuple[tuple[Callable[[random.Random], str], float], ...] = (
    (retellings.document, 0.45),
    (product_talk.document, 0.40),
    (numbers.document, 0.15),
)


def documents(seed: int) -> Iterator[str]:
    """Endless documents, a deterministic sequence for each seed."""
    rng = random.Random(seed)
    makers, weights = zip(*MIX, strict=True)
    while True:
        (make,) = rng.choices(makers, weights)
        yield make(rng)


def of_kind(make: Callable[[random.Random], str], seed: int) -> Iterator[str]:
    """Endless documents of one kind."""
    rng = random.Random(seed)
    while True:
        yield make(rng)
