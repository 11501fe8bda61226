"""MinHash signatures of many texts at once, as arrays (Broder 1997).

The permutations are datasketch's (`affine32`): one of its signatures, given this module's hashes of
shingles, has the same values. It hashes shingle by shingle; here a word is hashed once, and what
follows is computed for all shingles of a batch together.
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from finetune.data.words import words_of

# Words whose hashes are kept at hand: those of most texts.
CACHED_WORDS = 2**18
# Fibonacci hashing: 2⁶⁴ divided by the golden ratio.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Signatures:
    """Signatures of some texts, as near-duplicates are looked for.

    bands: uint64 (texts, bands), a hash of the values of each band. sketch: uint8 (texts,
    permutations), the low byte of each value: of two texts at least as many are the same as of the
    values. is_blank: bool (texts,), whether a text has no word.
    """

    bands: np.ndarray
    sketch: np.ndarray
    is_blank: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The signatures of several batches, one after the other."""
        return cls(
            np.concatenate([part.bands for part in parts]),
            np.concatenate([part.sketch for part in parts]),
            np.concatenate([part.is_blank for part in parts]),
        )

    def __getitem__(self, numbers: np.ndarray) -> "Signatures":
        """Those of some of the texts."""
        return Signatures(self.bands[numbers], self.sketch[numbers], self.is_blank[numbers])


def signatures(
    texts: Sequence[str], shingle_words: int, permutations: int, bands: int
) -> Signatures:
    """The signatures of texts; two texts of the same shingles have the same one."""
    hashes, counts = shingle_hashes(texts, shingle_words)
    is_blank = counts == 0
    values = np.zeros((len(texts), permutations), np.uint32)
    if hashes.size:
        starts = np.cumsum(counts) - counts
        values[~is_blank] = _minima(hashes, starts[~is_blank], permutations)
    of_band = values.reshape(len(texts), bands, permutations // bands).astype(np.uint64)
    mixed = np.zeros((len(texts), bands), np.uint64)
    for place in range(of_band.shape[2]):
        mixed = _mixed(mixed, of_band[:, :, place])
    return Signatures(mixed, values.astype(np.uint8), is_blank)


def shingle_hashes(texts: Sequence[str], words: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of all shingles, uint32, text after text, and how many each text has.

    A shingle that stands in a text twice is there twice.
    """
    hashes: list[int] = []
    lengths = np.empty(len(texts), np.int64)
    for number, text in enumerate(texts):
        own = words_of(text)
        hashes.extend(map(_word_hash, own))
        lengths[number] = len(own)
    # A text that is shorter than a shingle is one, filled up with zeros.
    counts = np.where(lengths > 0, np.maximum(lengths - words + 1, 1), 0)
    flat = np.array([*hashes, *[0] * words], np.uint64)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    place = np.repeat(np.cumsum(lengths) - lengths, counts) + within
    left = np.repeat(lengths, counts) - within
    shingles = np.zeros(len(place), np.uint64)
    for ahead in range(words):
        shingles = _mixed(shingles, np.where(ahead < left, flat[place + ahead], np.uint64(0)))
    return (shingles >> _HALF).astype(np.uint32), counts


@functools.lru_cache(CACHED_WORDS)
def _word_hash(word: str) -> int:
    # An unpaired surrogate counts as a question mark.
    digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _mixed(state: np.ndarray, value: np.ndarray) -> np.ndarray:
    """A hash of what `state` is one of, followed by a value; uint64."""
    mixed = (state ^ value) * _MULTIPLIER
    return mixed ^ (mixed >> _HALF)


def _minima(hashes: np.ndarray, starts: np.ndarray, permutations: int) -> np.ndarray:
    """The least value of each text's hashes under each permutation, uint32 (texts, permutations).

    `starts` are where the texts begin in `hashes`; none is empty.
    """
    factors, summands = _permutations(permutations)
    mixed = _finalized(hashes)
    minima = np.empty((permutations, len(starts)), np.uint32)
    for number in range(permutations):
        values = mixed * factors[number]
        values += summands[number]
        np.minimum.reduceat(values, starts, out=minima[number])
    return minima.T


def _finalized(hashes: np.ndarray) -> np.ndarray:
    """MurmurHash3's finalizer of 32 bits, which datasketch applies before it permutes."""
    hashes = hashes ^ (hashes >> np.uint32(16))
    hashes = hashes * np.uint32(0x85EBCA6B)
    hashes = hashes ^ (hashes >> np.uint32(13))
    hashes = hashes * np.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> np.uint32(16))


@functools.cache
def _permutations(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors and summands of datasketch's permutations of 32 bits, uint32."""
    from datasketch import MinHash  # it imports scipy, which other stages need not wait for

    factors, summands = MinHash(num_perm=count, scheme="affine32").permutations
    return factors, summands
