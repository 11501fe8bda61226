"""Words and symbols of a text, and runs of them: what texts are compared by."""

import re

# Scripts that are written without blanks: each of their characters counts as a word.
UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
# Symbols count as words: without them, 3 + 4 and 3 - 4 would be the same.
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]")

Shingles = frozenset[bytes]


def words_of(text: str) -> list[str]:
    """The words and symbols of a text, whatever its case."""
    return WORD.findall(text.casefold())


def shingles(text: str, words: int) -> Shingles:
    """All runs of so many consecutive words and symbols, whatever their case and blanks.

    A shorter text is one shingle; a blank one has none.
    """
    tokens = words_of(text)
    runs = range(max(1, len(tokens) - words + 1)) if tokens else ()
    return frozenset(" ".join(tokens[i : i + words]).encode("utf-8", "replace") for i in runs)


def jaccard(one: Shingles, other: Shingles) -> float:
    """The size of the intersection as a fraction of the union's; 0 for two empty sets."""
    shared = len(one & other)
    union = len(one) + len(other) - shared
    return shared / union if union else 0.0
