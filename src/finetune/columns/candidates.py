"""Candidate columns of an input or a target, ranked by their names and contents."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from finetune.columns.description import Column, Columns

# Columns with a smaller fraction of filled rows are neither input nor target.
MIN_FILLED = 0.5
# Ratio of lengths from which on the longest text is the input whatever its name.
MIN_INPUT_RATIO = 2.0
# Words in the names of columns of ids.
ID = ("id", "uid", "guid", "uuid", "key", "sku", "asin", "nr", "nummer")


class Evidence(IntEnum):
    """What distinguishes the best candidate; the kind of task with the strongest one is chosen."""

    NO_CANDIDATES = 0
    AMBIGUOUS = 1
    ELIMINATION = 2
    NAME = 3


@dataclass(frozen=True)
class Candidates:
    """The paths of candidate columns, best first, and the evidence for the first."""

    paths: list[str]
    evidence: Evidence


def usable(columns: Columns, taken: Collection[str]) -> list[Column]:
    """The columns with enough values that are not taken already."""
    return [c for c in columns.values() if c.filled >= MIN_FILLED and c.path not in taken]


def ranked(
    columns: Sequence[Column], words: Sequence[str], indicative: Collection[Column] = ()
) -> Candidates:
    """Columns named by one of `words` first, then those that contain one or are `indicative`.

    Certain if a single column matches at either level: `price` beside `list_price`, and
    `list_price` beside `rating`.
    """
    exact = [c for c in columns if c.name.casefold() in words]
    named = [c for c in columns if c in exact or c in indicative or c.is_named(words)]
    paths = dict.fromkeys(c.path for group in (exact, named, columns) for c in group)
    evidence = Evidence.AMBIGUOUS if paths else Evidence.NO_CANDIDATES
    if len(exact) == 1 or len(named) == 1:
        evidence = Evidence.NAME
    return Candidates(list(paths), evidence)


def longest_texts(columns: Columns, taken: Collection[str], words: Sequence[str]) -> Candidates:
    """Texts, longest first; by their names (`words`) unless one is by far the longest."""
    texts = [c for c in usable(columns, taken) if c.type == "text"]
    texts.sort(key=lambda c: -c.words)
    if texts and (len(texts) == 1 or texts[0].words >= MIN_INPUT_RATIO * texts[1].words):
        return Candidates([c.path for c in texts], Evidence.ELIMINATION)
    return ranked(texts, words)


def longest(columns: Iterable[Column]) -> Column | None:
    """The column of the longest texts, if there are texts."""
    texts = [column for column in columns if column.type == "text"]
    return max(texts, key=lambda column: column.words, default=None)
