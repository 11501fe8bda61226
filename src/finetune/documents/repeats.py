"""Texts that are nearly like an earlier one."""

from collections.abc import Sequence

from finetune.core.schema import NearDuplicates
from finetune.data.minhash import signatures
from finetune.data.near_duplicates import Index


def options(threshold: float) -> NearDuplicates:
    """What counts as nearly the same from a similarity on, else as conf/data has it.

    Raises:
        ValueError: pairs at this similarity would not be found surely enough.
    """
    return NearDuplicates(threshold=threshold, shingle_words=3, permutations=128, bands=32)


def earlier(
    texts: Sequence[str], near: NearDuplicates, known: Sequence[str] = ()
) -> list[tuple[int, float] | None]:
    """For each text the most similar one before it, and how similar it is; None where none is.

    Of texts that are alike the first one alone counts as being before others. `known` are before
    all texts; of these the number is negative: -1 is the last of them.
    """
    every = [*known, *texts]
    signed = signatures(every, near.shingle_words, near.permutations, near.bands)
    index = Index(every.__getitem__, signed, near)
    for number in range(len(known)):
        index.insert(number)
    found: list[tuple[int, float] | None] = []
    for number in range(len(known), len(known) + len(texts)):
        pairs = index.pairs(number)
        if pairs:
            found.append((pairs[0].near - len(known), pairs[0].similarity))
        else:
            found.append(None)
            index.insert(number)
    return found
