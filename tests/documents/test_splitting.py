"""Splits by document."""

import pytest

from finetune.core.errors import DataError
from finetune.documents.splitting import by_document

MANY = {f"{number}.md": 1 + number % 7 for number in range(60)}


def test_documents_make_up_the_fractions():
    placed = by_document(MANY, 0.2, 0.1, seed=7)
    assert list(placed) == list(MANY)
    total = sum(MANY.values())
    pairs = {s: sum(MANY[d] for d in placed if placed[d] == s) / total for s in placed.values()}
    assert pairs["test"] == pytest.approx(0.2, abs=0.05)
    assert pairs["validation"] == pytest.approx(0.1, abs=0.05)


def test_they_depend_on_the_seed_alone():
    assert by_document(MANY, 0.2, 0.1, 7) == by_document(dict(reversed(MANY.items())), 0.2, 0.1, 7)
    assert by_document(MANY, 0.2, 0.1, 7) != by_document(MANY, 0.2, 0.1, 8)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1000, 1, 2), (5, 1000, 1000)])
@pytest.mark.parametrize("seed", range(5))
def test_every_split_has_a_document(sizes, seed):
    pairs = {f"{number}.md": size for number, size in enumerate(sizes)}
    assert set(by_document(pairs, 0.1, 0.1, seed).values()) == {"train", "validation", "test"}


def test_a_large_document_is_not_taken_for_a_small_split():
    pairs = {"large.md": 500, **{f"{number}.md": 10 for number in range(20)}}
    for seed in range(5):
        assert by_document(pairs, 0.1, 0.1, seed)["large.md"] == "train"


def test_two_documents_cannot_be_split():
    with pytest.raises(DataError, match="takes three that give pairs, and there are 2"):
        by_document({"a.md": 5, "b.md": 5}, 0.1, 0.1, 7)
