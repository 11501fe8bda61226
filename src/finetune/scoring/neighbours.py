"""Which of some texts is most like another: cosine similarity of TF-IDF vectors of words."""

from collections.abc import Callable, Sequence

import numpy as np

# Similarities held at once: 64 MB of doubles, whatever the number of texts.
BATCH_VALUES = 8_000_000

# From queries and candidates to the index of the candidate that is most like each query.
Nearest = Callable[[Sequence[str], Sequence[str]], list[int]]


def nearest(corpus: Sequence[str]) -> Nearest:
    """A search by the words' document frequencies in a corpus.

    Words that the corpus does not have count nothing. Of equally similar candidates, and of those
    that share no word with the query, the first one is found.
    """
    # scikit-learn takes a second to import, which the stages that fit nothing need not wait.
    from sklearn.feature_extraction.text import TfidfVectorizer

    # The default leaves out words of one character, and with them "4" and "V".
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\b\w+\b")
    try:
        vectorizer.fit(corpus)
    except ValueError:  # no text of it has a word
        return lambda queries, candidates: [0] * len(queries)

    def search(queries: Sequence[str], candidates: Sequence[str]) -> list[int]:
        if not queries:
            return []
        asked = vectorizer.transform(queries)
        known = vectorizer.transform(candidates).T.tocsc()
        at_once = max(1, BATCH_VALUES // len(candidates))
        found: list[int] = []
        for start in range(0, len(queries), at_once):
            similarities = (asked[start : start + at_once] @ known).toarray()
            # Rounded, so that the order in which products are summed up decides no tie.
            found += np.round(similarities, 12).argmax(axis=1).tolist()
        return found

    return search
