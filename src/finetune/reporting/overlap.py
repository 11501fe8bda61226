"""The unigrams that a text shares with its reference, as counted by ROUGE-1."""

import re
from collections import Counter

WORD = re.compile(r"\w+")

# A piece of a text, and whether it is shared with the reference.
Span = tuple[str, bool]


def overlap(text: str, reference: str) -> list[Span]:
    """The text split into shared and other pieces, in order; joined they give the text.

    Words match case-insensitively and without stemming, with ROUGE's clipped counts: a word that
    the reference holds once is shared once. Blanks between two shared words are shared as well, so
    that a phrase is one piece.
    """
    left = Counter(word.casefold() for word in WORD.findall(reference))
    spans: list[Span] = []
    end = 0
    for match in WORD.finditer(text):
        word = match.group().casefold()
        is_shared = left[word] > 0
        left[word] -= is_shared
        between = text[end : match.start()]
        joins = is_shared and bool(spans) and spans[-1][1] and not between.strip()
        _add(spans, between, joins)
        _add(spans, match.group(), is_shared)
        end = match.end()
    _add(spans, text[end:], False)
    return spans


def _add(spans: list[Span], piece: str, is_shared: bool) -> None:
    if not piece:
        return
    if spans and spans[-1][1] == is_shared:
        spans[-1] = (spans[-1][0] + piece, is_shared)
    else:
        spans.append((piece, is_shared))
