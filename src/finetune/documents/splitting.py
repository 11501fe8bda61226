"""Splits by document: the passages of one never stand in two splits."""

import hashlib
from collections.abc import Mapping

from finetune.core.errors import DataError

# How far above its fraction a document may lift a split.
MAX_EXCESS = 1.5


def by_document(
    pairs: Mapping[str, int], test_fraction: float, validation_fraction: float, seed: int
) -> dict[str, str]:
    """The split of each document, by how many pairs each has.

    Documents come in an order that a hash of the seed and of their name gives. Test takes them
    until it has its fraction of all pairs, then validation; one that is too large for what is
    wanted is passed over. Each split has a document at least.

    Raises:
        DataError: there are fewer than three documents.
    """
    check_count(len(pairs))
    waiting = sorted(pairs, key=lambda name: _place(name, seed))
    total = sum(pairs.values())
    placed: dict[str, str] = {}
    for split, fraction in (("test", test_fraction), ("validation", validation_fraction)):
        others = 2 if split == "test" else 1  # splits that still need one
        chosen = _taken(waiting, pairs, fraction * total, len(waiting) - others)
        placed |= dict.fromkeys(chosen, split)
        waiting = [name for name in waiting if name not in chosen]
    placed |= dict.fromkeys(waiting, "train")
    return {name: placed[name] for name in pairs}


def check_count(documents: int) -> None:
    """See that there is a document for each split.

    Raises:
        DataError: there is not.
    """
    if documents < 3:
        raise DataError(
            f"a split by document takes three that give pairs, and there are {documents}; give "
            "more, or an --out that ends in .jsonl: one file, which `prepare` splits by row"
        )


def _taken(waiting: list[str], pairs: Mapping[str, int], wanted: float, most: int) -> list[str]:
    """The documents that make up the wanted number of pairs as nearly as their order allows."""
    chosen: list[str] = []
    have = 0
    for name in waiting:
        if have < wanted and len(chosen) < most and have + pairs[name] <= MAX_EXCESS * wanted:
            chosen.append(name)
            have += pairs[name]
    return chosen or [min(waiting, key=lambda name: pairs[name])]


def _place(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{name}".encode()).digest()
