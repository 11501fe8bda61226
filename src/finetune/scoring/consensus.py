"""Which of some texts is most like the others."""

import functools
import math
from collections import Counter
from collections.abc import Sequence


def consensus(groups: Sequence[Sequence[str]], stemmer: bool) -> list[int]:
    """Of each group the place of the text with the highest mean ROUGE-1 F1 against the others.

    The first where some are level. Alike texts count as often as they stand there. The figures are
    those of `rouge_score`, but each text is split and stemmed once, not once a pair.
    """
    words = _splitter(stemmer)
    return [_most_like_others([Counter(words(text)) for text in texts]) for texts in groups]


def unigram_f1(one: Counter[str], other: Counter[str]) -> float:
    """ROUGE-1 F1 of two texts' words, 0–1."""
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def _most_like_others(texts: Sequence[Counter[str]]) -> int:
    # fsum does not mind the order of its terms, so that alike texts are level.
    likeness = [
        math.fsum(unigram_f1(text, other) for j, other in enumerate(texts) if j != i)
        for i, text in enumerate(texts)
    ]
    return likeness.index(max(likeness))


def _splitter(stemmer: bool):
    # Takes seconds to import (it brings NLTK), which greedy decoding need not wait.
    from nltk.stem import porter
    from rouge_score import tokenize

    class Stemmer:
        """Porter's, each word once."""

        stem = staticmethod(functools.cache(porter.PorterStemmer().stem))

    return functools.partial(tokenize.tokenize, stemmer=Stemmer() if stemmer else None)
