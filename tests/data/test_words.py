import pytest

from finetune.data.words import jaccard, shingles


def test_shingles_ignore_case_and_blanks():
    assert shingles("Hi Bob!  See\nyou", 2) == shingles("hi bob ! SEE you", 2)
    assert shingles("Hi Bob!  See", 2) == {b"hi bob", b"bob !", b"! see"}
    assert shingles("3 + 4", 3) != shingles("3 - 4", 3)
    assert shingles("Hi", 3) == {b"hi"}
    assert shingles(" \n", 3) == frozenset()


def test_similarity_is_the_jaccard_index():
    assert jaccard(frozenset({b"a", b"b"}), frozenset({b"b", b"c"})) == pytest.approx(1 / 3)
    assert jaccard(frozenset(), frozenset()) == 0
