"""The text that the embedded base model is pretrained on: an endless, seeded mix of documents."""

import random
from collections.abc import Callable, Iterator

from finetune.pretraining import numbers, product_talk, retellings

# Shares of *documents*. Dialogues with retellings are the longest and teach the skill that takes
# the most steps, pointing back into a text; numbers are cheap and need a line, not a library.
MIX: tuple[tuple[Callable[[random.Random], str], float], ...] = (
    (retellings.document, 0.62),
    (product_talk.document, 0.20),
    (numbers.document, 0.18),
)


def documents(seed: int) -> Iterator[str]:
    """Endless documents; the same seed gives the same ones in the same order."""
    rng = random.Random(seed)
    makers, shares = zip(*MIX, strict=True)
    while True:
        (make,) = rng.choices(makers, shares)
        yield make(rng)
