"""The text that the embedded base model is pretrained on: an endless, seeded mix of documents."""

import random
from collections.abc import Callable, Iterator

from finetune.pretraining import numbers, product_talk, recall, retellings

# Shares of *documents*. Dialogues with retellings are the longest and show the skill that matters,
# pointing back into a text; recall teaches it. Numbers need a line, not a library.
MIX: tuple[tuple[Callable[[random.Random], str], float], ...] = (
    (retellings.document, 0.45),
    (recall.document, 0.25),
    (product_talk.document, 0.15),
    (numbers.document, 0.15),
)


# Documents of recall alone, at the start: once a model can point, dialogues teach it where.
LESSONS = 8_000


def documents(seed: int) -> Iterator[str]:
    """Endless documents: the lessons, then the mix. The same seed gives the same ones."""
    rng = random.Random(seed)
    for _ in range(LESSONS):
        yield recall.document(rng)
    yield from mixed(seed)


def mixed(seed: int) -> Iterator[str]:
    """Endless documents of the mix alone."""
    rng = random.Random(f"mixed-{seed}")
    makers, shares = zip(*MIX, strict=True)
    while True:
        (make,) = rng.choices(makers, shares)
        yield make(rng)


def of_kind(make: Callable[[random.Random], str], seed: int) -> Iterator[str]:
    """Endless documents of one kind."""
    rng = random.Random(seed)
    while True:
        yield make(rng)
