"""Near-duplicates: texts whose word shingles have a high Jaccard similarity.

Candidates share a band of their MinHash signatures (LSH: Leskovec, Rajaraman and Ullman, "Mining of
Massive Datasets", chapter 3) and are then compared exactly. A pair that is found has the similarity
that it is listed with; one at the threshold is missed with a probability of
(1 - threshold^rows)^bands, which `NearDuplicates` bounds.

Of a million texts few share a band with another one. Which do is found by sorting, without a look
at any text; only these enter the index, which goes through them one by one, as which texts a text
is compared with depends on which ones before it have left.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from finetune.core.progress import progress
from finetune.core.rows import TaskRow
from finetune.core.schema import NearDuplicates
from finetune.data.minhash import Signatures, signatures
from finetune.data.words import Shingles, jaccard, shingles

if TYPE_CHECKING:
    from scipy.cluster.hierarchy import DisjointSet

# So many shingles, some 0.1 GB, are cached: candidates of one text are often those of the next.
CACHED_SHINGLES = 1_000_000
SHOWN_CHARACTERS = 300
# Of a row that has many near-duplicates, as a template has, only the nearest are listed.
LISTED_PAIRS = 10
# With at most this probability a pair at the threshold is not compared although it shares a band.
SKIPPED = 1e-12


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts by their indices, of which `near` came first, and their similarity."""

    index: int
    near: int
    similarity: float


class Index:
    """An LSH index of texts, which are named by their indices; a blank text is near no other."""

    def __init__(
        self, texts: Callable[[int], str], signatures: Signatures, options: NearDuplicates
    ) -> None:
        """An empty index for the texts that have these signatures."""
        self._threshold = options.threshold or 1.0
        self._fewest = fewest_agreements(self._threshold, options.permutations)
        # Values that differ have the same last bit half of the time.
        bits_agree = (1 + self._threshold) / 2
        self._most_bits = options.permutations - fewest_agreements(bits_agree, options.permutations)
        self._sketch = signatures.sketch
        self._bits = last_bits(signatures.sketch)
        self._buckets, sizes = shared_buckets(signatures)
        # What a bucket holds stands in `slots` from its start on; the first `filled` are inserted.
        self._starts = np.cumsum(sizes) - sizes
        self._filled = np.zeros(len(sizes), np.int32)
        self._slots = np.empty(sizes.sum(), np.int32)
        self._texts, self._shingle_words = texts, options.shingle_words
        self._cached: OrderedDict[int, Shingles] = OrderedDict()
        self._num_cached = 0
        self.shares_band: np.ndarray = np.logical_or.reduce(self._buckets >= 0, axis=1)

    def pairs(self, index: int) -> list[Pair]:
        """The pairs of a text with those that were inserted, the most similar first."""
        candidates = self._candidates(index)
        if not candidates:
            return []
        own = self._shingles(index)
        pairs = [Pair(index, other, jaccard(own, self._shingles(other))) for other in candidates]
        near = [pair for pair in pairs if pair.similarity >= self._threshold]
        return sorted(near, key=lambda pair: -pair.similarity)

    def insert(self, index: int) -> None:
        """Add a text."""
        buckets = self._of(index)
        self._slots[self._starts[buckets] + self._filled[buckets]] = index
        self._filled[buckets] += 1

    def _shingles(self, index: int) -> Shingles:
        """The shingles of a text; those of the texts that were last asked for are cached."""
        if index in self._cached:
            self._cached.move_to_end(index)
            return self._cached[index]
        of_text = shingles(self._texts(index), self._shingle_words)
        self._cached[index] = of_text
        self._num_cached += len(of_text)
        while self._num_cached > CACHED_SHINGLES and len(self._cached) > 1:
            self._num_cached -= len(self._cached.popitem(last=False)[1])
        return of_text

    def _of(self, index: int) -> np.ndarray:
        buckets: np.ndarray = self._buckets[index]
        return buckets[buckets >= 0]

    def _candidates(self, index: int) -> list[int]:
        """Inserted texts that share a band, and agree in enough values; in ascending order."""
        buckets = self._of(index)
        filled = self._filled[buckets]
        starts = self._starts[buckets]
        inserted = [
            self._slots[start : start + count]
            for start, count in zip(starts.tolist(), filled.tolist(), strict=True)
            if count
        ]
        if not inserted:
            return []
        candidates = np.concatenate(inserted)
        # Most leave by the last bits of their values, which are soon looked at.
        differing = np.bitwise_count(self._bits.take(candidates, axis=0) ^ self._bits[index])
        candidates = candidates[differing.sum(axis=1) <= self._most_bits]
        agreeing = self._sketch.take(candidates, axis=0) == self._sketch[index]
        is_near = np.count_nonzero(agreeing, axis=1) >= self._fewest
        return sorted(set(candidates[is_near].tolist()))


def are_near(texts: Sequence[str], others: Sequence[str], options: NearDuplicates) -> np.ndarray:
    """Which texts are near-duplicates of one of the others, bool (texts,).

    None are without a threshold.
    """
    is_near = np.zeros(len(texts), np.bool_)
    if options.threshold is None:
        return is_near
    every = [*others, *texts]
    hashed = signatures(every, options.shingle_words, options.permutations, options.bands)
    index = Index(every.__getitem__, hashed, options)
    for number in range(len(others)):
        index.insert(number)
    for number in range(len(texts)):
        is_near[number] = bool(index.pairs(len(others) + number))
    return is_near


def last_bits(values: np.ndarray) -> np.ndarray:
    """The last bit of each value, packed into uint64; zeros at the end of a row."""
    bits = np.packbits(values & 1, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view(np.uint64)


def shared_buckets(signatures: Signatures) -> tuple[np.ndarray, np.ndarray]:
    """The bucket of each text in each band, int32 (texts, bands), and the sizes of the buckets.

    Buckets are numbered over all bands; -1 where no other text has the same hash.
    """
    texts = np.flatnonzero(~signatures.is_blank)
    buckets = np.full(signatures.bands.shape, -1, np.int32)
    sizes = [np.zeros(0, np.int64)]
    number = 0
    for band in range(signatures.bands.shape[1]):
        hashes = signatures.bands[texts, band]
        order = np.argsort(hashes)
        ordered = hashes[order]
        group = np.cumsum(np.diff(ordered, prepend=ordered[:1]) != 0)
        counts = np.bincount(group)
        is_shared = counts > 1
        numbers = np.where(is_shared, np.cumsum(is_shared) - 1 + number, -1)
        buckets[texts[order], band] = numbers[group]
        sizes.append(counts[is_shared])
        number += int(is_shared.sum())
    return buckets, np.concatenate(sizes)


def fewest_agreements(threshold: float, permutations: int) -> int:
    """In how many values two texts must agree to be compared.

    Each value agrees with the probability that is their similarity: of pairs at the threshold or
    above, at most `SKIPPED` have fewer.
    """
    from scipy.special import bdtr

    # bdtr(k): the probability of k or fewer.
    return int(np.searchsorted(bdtr(np.arange(permutations), permutations, threshold), SKIPPED))


# What a split must not share rows with; a split is searched before those that yield to it.
YIELDS_TO = {"test": (), "validation": ("test",), "train": ("validation", "test")}


@dataclass(frozen=True, slots=True)
class ListedPair:
    """A row and one that it is nearly the same as, by split and place; does it leave for it?"""

    split: str
    place: int
    near_split: str
    near_place: int
    similarity: float
    dropped: bool


@dataclass
class NearDuplicateRows:
    """The near-duplicates of a task's rows, each by its place in its split.

    pairs: at most `LISTED_PAIRS` a row. cross_split: for each split and each one that it must not
    share rows with the places of its rows that are near one of the other's. within_split: for each
    split the places of rows that are near an earlier one of it. clusters: for each split but train
    the places of its rows that are linked, over any number of pairs.
    """

    pairs: list[ListedPair] = field(default_factory=list)
    cross_split: dict[str, dict[str, set[int]]] = field(default_factory=dict)
    within_split: dict[str, set[int]] = field(default_factory=dict)
    clusters: dict[str, list[list[int]]] = field(default_factory=dict)

    def leaked(self, split: str) -> set[int]:
        """The places of a split's rows that are near one that it must not share."""
        return set().union(*self.cross_split.get(split, {}).values())

    def counts(self, split: str) -> dict[str, int]:
        """The counts of a split, as `data.json` has them."""
        counts = {
            f"found_near_{other}": len(near) for other, near in self.cross_split[split].items()
        }
        counts["found_near_duplicates"] = len(self.within_split[split])
        if split in self.clusters:
            counts["near_duplicate_clusters"] = len(self.clusters[split])
        return counts


def find(
    rows: Mapping[str, Sequence[TaskRow]],
    signatures: Signatures,
    options: NearDuplicates,
    task: str,
) -> NearDuplicateRows:
    """The near-duplicates within train, validation and test, and between them.

    `signatures` are of the inputs of all rows, one split of `YIELDS_TO` after the other. A row of
    train is compared with those of validation and test, and with the rows of train before it that
    stay: of many that are alike the first one does.
    """
    from scipy.cluster.hierarchy import DisjointSet

    found = NearDuplicateRows()
    starts, end = dict[str, int](), 0
    for name in YIELDS_TO:
        starts[name], end = end, end + len(rows[name])

    def placed(number: int) -> tuple[str, int]:
        split = next(name for name in reversed(starts) if starts[name] <= number)
        return split, number - starts[split]

    def text(number: int) -> str:
        split, place = placed(number)
        return rows[split][place].input

    index = Index(text, signatures, options)
    del signatures  # a third of it is needed no more, which of a million rows is much memory
    for name, others in YIELDS_TO.items():
        found.cross_split[name] = {other: set() for other in others}
        found.within_split[name] = set()
        linked = DisjointSet()
        numbers = range(starts[name], starts[name] + len(rows[name]))
        for i in progress(numbers, f"near-duplicates {task} {name}", "row"):
            if not index.shares_band[i]:
                continue
            pairs = [(*placed(pair.near), pair.similarity) for pair in index.pairs(i)]
            leaves = name == "train" or any(near_split in others for near_split, *_ in pairs)
            if not (pairs and leaves):
                index.insert(i)
            place = i - starts[name]
            found.pairs += [ListedPair(name, place, *pair, leaves) for pair in pairs[:LISTED_PAIRS]]
            for near_split, near_place, _ in pairs:
                if near_split == name:
                    found.within_split[name].add(place)
                    _link(linked, place, near_place)
                else:
                    found.cross_split[name][near_split].add(place)
        if name != "train":
            found.clusters[name] = clusters(linked)
    return found


def _link(linked: "DisjointSet", one: int, other: int) -> None:
    linked.add(one)
    linked.add(other)
    linked.merge(one, other)


def clusters(linked: "DisjointSet") -> list[list[int]]:
    """The sets of linked places, each in ascending order."""
    return sorted(sorted(members) for members in linked.subsets())


def readable(
    pairs: Sequence[ListedPair], rows: Mapping[str, Sequence[TaskRow]]
) -> Iterator[dict[str, Any]]:
    """The pairs as `near_duplicates.jsonl` has them; `rows` are those that were searched."""
    for pair in pairs:
        row, near = rows[pair.split][pair.place], rows[pair.near_split][pair.near_place]
        yield {
            "split": pair.split,
            "id": row.id,
            "near_split": pair.near_split,
            "near_id": near.id,
            "similarity": round(pair.similarity, 4),
            "dropped": pair.dropped,
            "input": row.input[:SHOWN_CHARACTERS],
            "near_input": near.input[:SHOWN_CHARACTERS],
        }
