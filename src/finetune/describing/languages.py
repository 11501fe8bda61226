"""Scripts and languages of texts."""

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

# A text whose likeliest language has a lower probability counts as not clear.
LEAST_CONFIDENCE = 0.9
NOT_CLEAR = "not clear"
# What langid calls a text without a likely language, or without any.
_NONE = ("und", "zxx")


def scripts(texts: Iterable[str]) -> Counter[str]:
    """How many letters of the texts are of which script, by the first word of a letter's name."""
    characters: Counter[str] = Counter()
    for text in texts:
        characters.update(text)
    letters: Counter[str] = Counter()
    for character, count in characters.items():
        if script := _script(character):
            letters[script] += count
    return letters


def _script(character: str) -> str | None:
    """`latin`, `cyrillic`, `cjk`; None for what is no letter."""
    if not character.isalpha():
        return None
    return unicodedata.name(character, "unknown").split()[0].lower()


def languages(texts: Iterable[str]) -> Counter[str]:
    """How many texts are of which language, as ISO 639-1 has it.

    By py3langid, a naive Bayes classifier of 97 languages on byte n-grams (Lui and Baldwin 2012).
    """
    identifier = _identifier()
    found = (identifier.classify(text)[0] for text in texts)
    return Counter(NOT_CLEAR if language in _NONE else language for language in found)


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(
        MODEL_FILE, norm_probs=True, min_confidence=LEAST_CONFIDENCE
    )
