"""Near-duplicates: texts whose word shingles have a high Jaccard similarity.

Candidates come from MinHash signatures in an LSH index (Broder 1997; Leskovec, Rajaraman and
Ullman, "Mining of Massive Datasets", chapter 3) and are then compared exactly. A pair that is found
has the similarity that it is listed with; one at the threshold is missed with a probability of
(1 - threshold^rows)^bands, which `NearDuplicates` bounds.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune.core.progress import progress
from finetune.core.rows import TaskRow
from finetune.core.schema import NearDuplicates

# Scripts that are written without blanks: each of their characters counts as a word.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
# Symbols count as words: without them, 3 + 4 and 3 - 4 would be the same.
WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]")
# Texts whose shingles are kept at hand: candidates of one text are often those of the next.
CACHED_TEXTS = 4096
SHOWN_CHARACTERS = 300
# Of a row that has many near-duplicates, as a template has, only the nearest are listed.
LISTED_PAIRS = 10

Shingles = frozenset[bytes]


@dataclass(frozen=True)
class Pair:
    """Two texts by their indices, of which `near` came first, and their similarity."""

    index: int
    near: int
    similarity: float


def shingles(text: str, words: int) -> Shingles:
    """All runs of so many consecutive words and symbols, whatever their case and blanks.

    A shorter text is one shingle; a blank one has none.
    """
    tokens = WORD.findall(text.casefold())
    runs = range(max(1, len(tokens) - words + 1)) if tokens else ()
    return frozenset(" ".join(tokens[i : i + words]).encode("utf-8", "replace") for i in runs)


def jaccard(one: Shingles, other: Shingles) -> float:
    """The size of the intersection as a fraction of the union's; 0 for two empty sets."""
    shared = len(one & other)
    union = len(one) + len(other) - shared
    return shared / union if union else 0.0


class Index:
    """An LSH index of texts; a blank text is near no other."""

    def __init__(self, texts: Sequence[str], options: NearDuplicates) -> None:
        """An empty index for these texts, which are then named by their indices."""
        # It imports scipy, which the other stages that import this package need not wait for.
        from datasketch import MinHash, MinHashLSH

        self._threshold = options.threshold or 1.0
        rows = options.permutations // options.bands
        self._lsh = MinHashLSH(num_perm=options.permutations, params=(options.bands, rows))
        self._empty = MinHash(num_perm=options.permutations, scheme="affine32")
        self._shingles = functools.lru_cache(CACHED_TEXTS)(
            lambda index: shingles(texts[index], options.shingle_words)
        )
        self._signature = functools.lru_cache(1)(self._computed_signature)

    def _computed_signature(self, index: int) -> Any:
        signature = self._empty.copy()
        signature.update_batch(self._shingles(index))
        return signature

    def pairs(self, index: int) -> list[Pair]:
        """The pairs of a text with those that were inserted, the most similar first."""
        own = self._shingles(index)
        if not own:
            return []
        candidates = sorted(self._lsh.query(self._signature(index)))
        found = [Pair(index, other, jaccard(own, self._shingles(other))) for other in candidates]
        near = [pair for pair in found if pair.similarity >= self._threshold]
        return sorted(near, key=lambda pair: -pair.similarity)

    def insert(self, index: int) -> None:
        """Add a text."""
        if self._shingles(index):
            self._lsh.insert(index, self._signature(index), check_duplication=False)


# What a split must not share rows with; a split is searched before those that yield to it.
YIELDS_TO = {"test": (), "validation": ("test",), "train": ("validation", "test")}

# A row with the name of its split.
Placed = tuple[str, TaskRow]


@dataclass
class NearDuplicateRows:
    """The near-duplicates of a task's rows.

    pairs: as `near_duplicates.jsonl` has them, at most `LISTED_PAIRS` a row. cross_split: for each
    split and each one that it must not share rows with the ids of its rows that are near one of the
    other's. within_split: for each split the ids of rows that are near an earlier one of it.
    clusters: for each split but train the ids of its rows that are linked, over any number of
    pairs.
    """

    pairs: list[dict[str, Any]] = field(default_factory=list)
    cross_split: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    within_split: dict[str, set[str]] = field(default_factory=dict)
    clusters: dict[str, list[list[str]]] = field(default_factory=dict)

    def leaked_ids(self, split: str) -> set[str]:
        """The ids of a split's rows that are near one that it must not share."""
        return set().union(*self.cross_split.get(split, {}).values())

    def counts(self, split: str) -> dict[str, int]:
        """The counts of a split, as `data.json` has them."""
        counts = {f"found_near_{other}": len(ids) for other, ids in self.cross_split[split].items()}
        counts["found_near_duplicates"] = len(self.within_split[split])
        if split in self.clusters:
            counts["near_duplicate_clusters"] = len(self.clusters[split])
        return counts


def find(
    splits: Mapping[str, Sequence[TaskRow]], options: NearDuplicates, task: str
) -> NearDuplicateRows:
    """The near-duplicates within train, validation and test, and between them.

    A row of train is compared with those of validation and test, and with the rows of train before
    it that stay: of many that are alike the first one does.
    """
    found = NearDuplicateRows()
    rows: list[Placed] = [(name, row) for name in YIELDS_TO for row in splits[name]]
    index = Index([row.input for _, row in rows], options)
    start = 0
    for name, others in YIELDS_TO.items():
        found.cross_split[name] = {other: set() for other in others}
        found.within_split[name] = set()
        own: list[Pair] = []
        stop = start + len(splits[name])
        for i in progress(range(start, stop), f"near-duplicates {task} {name}", "row"):
            pairs = index.pairs(i)
            own += _recorded(found, rows, pairs)
            leaves = name == "train" or any(rows[pair.near][0] in others for pair in pairs)
            found.pairs += [_readable(rows, pair, leaves) for pair in pairs[:LISTED_PAIRS]]
            if not (pairs and leaves):
                index.insert(i)
        if name != "train":
            found.clusters[name] = [[rows[i][1].id for i in each] for each in clusters(own)]
        start = stop
    return found


def _recorded(
    found: NearDuplicateRows, rows: Sequence[Placed], pairs: Sequence[Pair]
) -> list[Pair]:
    """Note down the row of these pairs; those that are within its split."""
    own = []
    for pair in pairs:
        (split, row), (other, _) = rows[pair.index], rows[pair.near]
        if other == split:
            found.within_split[split].add(row.id)
            own.append(pair)
        else:
            found.cross_split[split][other].add(row.id)
    return own


def _readable(rows: Sequence[Placed], pair: Pair, leaves: bool) -> dict[str, str | float | bool]:
    (split, row), (near_split, near) = rows[pair.index], rows[pair.near]
    return {
        "split": split,
        "id": row.id,
        "near_split": near_split,
        "near_id": near.id,
        "similarity": round(pair.similarity, 4),
        "dropped": leaves,
        "input": row.input[:SHOWN_CHARACTERS],
        "near_input": near.input[:SHOWN_CHARACTERS],
    }


def clusters(pairs: Iterable[Pair]) -> list[list[int]]:
    """The connected components of a graph with these edges, each in ascending order."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = [(pair.index, pair.near) for pair in pairs]
    if not edges:
        return []
    nodes = sorted({node for edge in edges for node in edge})
    place = {node: i for i, node in enumerate(nodes)}
    starts, ends = ([place[node] for node in column] for column in zip(*edges, strict=True))
    graph = coo_array(([1] * len(edges), (starts, ends)), shape=(len(nodes), len(nodes)))
    count, labels = connected_components(graph, directed=False)
    members: list[list[int]] = [[] for _ in range(count)]
    for node, label in zip(nodes, labels, strict=True):
        members[label].append(node)
    return sorted(members)
