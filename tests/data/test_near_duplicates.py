import random

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.cluster.hierarchy import DisjointSet
from scipy.stats import binom

from finetune.core.schema import NearDuplicates
from finetune.data import near_duplicates
from finetune.data.minhash import Signatures, signatures
from finetune.data.near_duplicates import (
    Index,
    NearDuplicateRows,
    clusters,
    fewest_agreements,
    last_bits,
    shared_buckets,
)
from finetune.data.words import jaccard, shingles
from finetune.tasks.summarization.rows import Row

OPTIONS = NearDuplicates(threshold=0.8, shingle_words=3, permutations=128, bands=32)
WORDS = [f"word{n}" for n in range(400)]


def signed(texts: list[str]) -> Signatures:
    return signatures(texts, OPTIONS.shingle_words, OPTIONS.permutations, OPTIONS.bands)


def search(splits: dict[str, list[Row]]) -> NearDuplicateRows:
    texts = [row.input for name in near_duplicates.YIELDS_TO for row in splits[name]]
    return near_duplicates.find(splits, signed(texts), OPTIONS, "samsum")


def row(row_id: str, text: str) -> Row:
    return Row(id=row_id, dialogue=text, summary="x")


def text(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def edited(original: str, seed: int, edits: int) -> str:
    """The text with so many of its words replaced."""
    generator = random.Random(seed)
    words = original.split()
    for place in generator.sample(range(len(words)), edits):
        words[place] = f"other{generator.randrange(10**6)}"
    return " ".join(words)


def corpus() -> list[str]:
    """Texts in families, whose similarities go from 0 to 1."""
    families = [text(seed) for seed in range(60)]
    return [
        edited(original, seed, edits)
        for seed, original in enumerate(families)
        for edits in (0, 0, 1, 2, 3, 4, 6, 9)
    ]


def test_pairs_are_those_of_a_brute_force_search():
    texts = corpus()
    index = Index(texts.__getitem__, signed(texts), OPTIONS)
    found = {}
    for i in range(len(texts)):
        found |= {(pair.index, pair.near): pair.similarity for pair in index.pairs(i)}
        index.insert(i)
    every = [shingles(each, OPTIONS.shingle_words) for each in texts]
    exact = {
        (i, j): similarity
        for i in range(len(texts))
        for j in range(i)
        if (similarity := jaccard(every[i], every[j])) >= 0.8
    }
    assert len(exact) > 200
    assert all(found[pair] == exact[pair] for pair in found)
    assert len(found) >= 0.98 * len(exact)
    surely = {pair for pair, similarity in exact.items() if similarity >= 0.9}
    assert 0 < len(surely) < len(exact)
    assert surely <= found.keys()


def test_of_near_duplicates_train_keeps_none_that_others_have_and_one_of_its_own():
    one, other, third = text(1), text(2), text(3)
    splits = {
        "train": [
            row("a", one.upper()),
            row("b", third),
            row("c", edited(third, 1, 1)),
            row("d", edited(third, 2, 1)),
            row("e", text(4)),
        ],
        "validation": [row("v", f"{other}."), row("w", text(5))],
        "test": [row("t", one), row("u", other), row("x", edited(other, 3, 1))],
    }
    found = search(splits)
    # By their places: v; a.
    assert found.cross_split == {
        "test": {},
        "validation": {"test": {0}},
        "train": {"validation": set(), "test": {0}},
    }
    # x; c and d. d is near b, the one that stays; c left.
    assert found.within_split == {"test": {2}, "validation": set(), "train": {2, 3}}
    assert found.clusters == {"test": [[1, 2]], "validation": []}
    pairs = list(near_duplicates.readable(found.pairs, splits))
    listed = {(p["split"], p["id"], p["near_split"], p["near_id"], p["dropped"]) for p in pairs}
    assert listed == {
        ("test", "x", "test", "u", False),
        ("validation", "v", "test", "u", True),
        ("validation", "v", "test", "x", True),
        ("train", "a", "test", "t", True),
        ("train", "c", "train", "b", True),
        ("train", "d", "train", "b", True),
    }
    assert pairs[0]["similarity"] == pytest.approx(55 / 61, abs=1e-4)
    assert pairs[0]["near_input"] == other[: near_duplicates.SHOWN_CHARACTERS]


def test_rows_of_a_template_are_compared_with_those_of_it_that_stay_alone(monkeypatch):
    compared = []
    monkeypatch.setattr(
        near_duplicates, "jaccard", lambda *two: compared.append(two) or jaccard(*two)
    )
    template = text(1)
    rows = [row(f"{n}", f"{template} product{n}") for n in range(300)]
    found = search({"train": rows, "validation": [], "test": []})
    assert found.within_split["train"] == set(range(1, 300))
    assert len(compared) == 299
    # Where all stay, each is compared with all before it.
    found = search({"train": [], "validation": [], "test": rows[:30]})
    assert found.clusters["test"] == [list(range(30))]
    assert len(compared) == 299 + 30 * 29 / 2
    assert len(found.pairs) == sum(min(n, near_duplicates.LISTED_PAIRS) for n in range(30))


def test_a_text_that_shares_no_band_is_not_looked_at():
    texts = [text(seed) for seed in range(50)]
    index = Index(pytest.fail, signed(texts), OPTIONS)  # as soon as it asks for a text
    assert not index.shares_band.any()
    for i in range(50):
        assert index.pairs(i) == []
        index.insert(i)


def test_buckets_are_of_texts_that_share_a_hash():
    bands = np.array([[7, 1], [8, 2], [7, 2], [9, 3], [7, 3]], np.uint64)
    is_blank = np.array([False, False, False, False, True])
    buckets, sizes = shared_buckets(Signatures(bands, np.zeros((5, 2), np.uint8), is_blank))
    assert buckets.tolist() == [[0, -1], [-1, 1], [0, 1], [-1, -1], [-1, -1]]
    assert sizes.tolist() == [2, 2]
    none = Signatures(bands[:0], np.zeros((0, 2), np.uint8), is_blank[:0])
    assert shared_buckets(none)[1].tolist() == []


@pytest.mark.parametrize(("threshold", "permutations"), [(0.8, 128), (0.3, 128), (0.95, 1024)])
def test_what_is_not_compared_is_almost_surely_below_the_threshold(threshold, permutations):
    fewest = fewest_agreements(threshold, permutations)
    assert 0 < binom.cdf(fewest - 1, permutations, threshold) < near_duplicates.SKIPPED
    assert binom.cdf(fewest, permutations, threshold) >= near_duplicates.SKIPPED


def test_equal_texts_agree_in_all_values():
    assert fewest_agreements(1.0, 128) == 128


@pytest.mark.parametrize("count", [16, 64, 100, 128])
def test_last_bits_of_equal_values_are_equal(count):
    values = np.random.default_rng(0).integers(0, 256, (2, count), np.uint8)
    differing = np.bitwise_count(np.bitwise_xor(*last_bits(values))).sum()
    assert differing == ((values[0] ^ values[1]) & 1).sum() > 0


def test_texts_without_words_are_near_nothing():
    splits = {
        "train": [row("a", "..."), row("b", "!!!")],
        "validation": [],
        "test": [row("t", "?")],
    }
    assert search(splits).pairs == []


def test_clusters_are_linked_over_any_number_of_pairs():
    linked = DisjointSet([5, 2, 9, 7, 4])
    for one, other in ((5, 2), (9, 5), (7, 4)):
        linked.merge(one, other)
    assert clusters(linked) == [[2, 5, 9], [4, 7]]
    assert clusters(DisjointSet()) == []


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"bands": 24}, "bands: is 24, must divide permutations"),
        ({"bands": 8}, "bands: 8 bands of 16 find 20% of the pairs at the threshold"),
    ],
)
def test_bands_that_miss_pairs_are_refused(values, what):
    with pytest.raises(ValidationError, match=what):
        NearDuplicates(**{**OPTIONS.model_dump(), **values})


def test_what_is_cached_of_texts_has_a_bound(monkeypatch):
    rows = [row(str(n), each) for n, each in enumerate(corpus())]
    splits = {"train": rows, "validation": [], "test": rows[:40]}
    whole = search(splits)
    assert whole.pairs
    made: list[Index] = []

    class Kept(Index):
        def __init__(self, *given) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(near_duplicates, "Index", Kept)
    monkeypatch.setattr(near_duplicates, "CACHED_SHINGLES", 200)
    assert search(splits) == whole
    (index,) = made
    assert sum(map(len, index._cached.values())) == index._num_cached <= 200


def test_texts_near_one_of_others_are_found():
    texts = [text(seed) for seed in range(5)]
    given = [edited(texts[0], 0, 1), text(9), texts[1], "", edited(texts[2], 0, 30)]
    assert near_duplicates.are_near(given, texts, OPTIONS).tolist() == [
        True, False, True, False, False,
    ]  # fmt: skip
    none = OPTIONS.model_copy(update={"threshold": None})
    assert not near_duplicates.are_near(given, texts, none).any()
    assert not near_duplicates.are_near(given, [], OPTIONS).any()
