"""The text most similar to the others of a group, for minimum Bayes risk decoding."""

import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence


def consensus(groups: Sequence[Sequence[str]]) -> list[int]:
    """For each group the index of the text with the highest mean ROUGE-1 F1 against the others.

    Words are stemmed, whatever `score.stemmer` says: scoring options change no prediction. Ties go
    to the first; repeated texts count repeatedly. The scores equal those of `rouge_score`, but each
    text is tokenized and stemmed once instead of once per pair.
    """
    tokenize = _tokenizer()
    return [_medoid([Counter(tokenize(text)) for text in texts]) for texts in groups]


def unigram_f1(one: Counter[str], other: Counter[str]) -> float:
    """ROUGE-1 F1 of two bags of words, 0–1."""
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def _medoid(texts: Sequence[Counter[str]]) -> int:
    # fsum is exact, hence independent of the order of its terms: equal texts are exact ties.
    similarity = [
        math.fsum(unigram_f1(text, other) for j, other in enumerate(texts) if j != i)
        for i, text in enumerate(texts)
    ]
    return similarity.index(max(similarity))


def _tokenizer() -> Callable[[str], list[str]]:
    # Imported here: it takes seconds (NLTK), and greedy decoding does not need it.
    from nltk.stem import porter
    from rouge_score import tokenize

    class Stemmer:
        """Porter's stemmer with a cache."""

        stem = staticmethod(functools.cache(porter.PorterStemmer().stem))

    return functools.partial(tokenize.tokenize, stemmer=Stemmer())
