"""One pass over the rows of a split: lengths, measures and groups of all, and a sample of rows."""

import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.core.rows import TaskRow
from finetune.describing.kind_card import KindCard

LENGTHS = ("input_words", "input_characters", "target_words", "target_characters")
# What stands for something that was taken out of a text, such as <file_gif>: written like a name in
# code. One that few rows have may be a text of a row.
PLACEHOLDER = re.compile(r"<[a-z]{2,20}(?:_[a-z]{1,20}){0,3}>")
LEAST_ROWS = 5
BINS = 12
# Whole numbers of such a range have a bin each.
WHOLE_BINS = 16
# Groups that are listed; the others are one.
LISTED_GROUPS = 30
OTHERS = "others"


@dataclass(frozen=True)
class Measured:
    """A split, measured: `lengths` and `measures` are [rows], a missing measure is NaN.

    `groups` and `placeholders` count rows, `sample` has a seeded subset in the order of the rows.
    """

    rows: int
    lengths: Mapping[str, np.ndarray]
    measures: Mapping[str, np.ndarray]
    groups: Mapping[str, Counter[str]]
    placeholders: Counter[str]
    sample: list[TaskRow]


def measure(rows: Sequence[TaskRow], kind: KindCard, sample: int, seed: int) -> Measured:
    """Measure each row once, and keep at most `sample` of them."""
    size = len(rows)
    drawn = set(random.Random(seed).sample(range(size), min(sample, size)))
    lengths = {name: np.zeros(size, np.int32) for name in LENGTHS}
    measures = {each.title: np.full(size, np.nan) for each in kind.measures}
    groups: dict[str, Counter[str]] = {each.title: Counter() for each in kind.groupings}
    placeholders: Counter[str] = Counter()
    kept = []
    for number, row in enumerate(rows):
        texts = {"input": row.input, "target": row.completion}
        for side, text in texts.items():
            lengths[f"{side}_words"][number] = len(text.split())
            lengths[f"{side}_characters"][number] = len(text)
        for of in kind.measures:
            value = of.of(row)
            measures[of.title][number] = np.nan if value is None else value
        for by in kind.groupings:
            groups[by.title].update(set(by.of(row)))
        placeholders.update(_placeholders(texts.values()))
        if number in drawn:
            kept.append(row)
    return Measured(size, lengths, measures, groups, placeholders, kept)


def _placeholders(texts: Iterable[str]) -> set[str]:
    return {found for text in texts if "<" in text for found in PLACEHOLDER.findall(text)}


def quantiles(values: np.ndarray) -> dict[str, float]:
    """Mean, median, 95th percentile, least and most of the finite values; empty for none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {}
    return {
        "mean": round(float(finite.mean()), 2),
        "median": round(float(np.median(finite)), 2),
        "p95": round(float(np.percentile(finite, 95)), 2),
        "min": round(float(finite.min()), 2),
        "max": round(float(finite.max()), 2),
    }


def histogram(splits: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Counts of each split in bins that all share; empty where no value is finite.

    `bins` are the ends of each: the first is included, and of whole values that are not skewed the
    second. Of skewed values without a sign the bins grow by a factor.
    """
    finite = {name: values[np.isfinite(values)] for name, values in splits.items()}
    together = np.concatenate(list(finite.values()))
    if not together.size:
        return {}
    low, high = float(together.min()), float(together.max())
    if low == high:
        return {
            "bins": [[round(low, 4), round(high, 4)]],
            "counts": {name: [len(values)] for name, values in finite.items()},
        }
    is_whole = bool((together == np.round(together)).all())
    if is_whole and (high - low < WHOLE_BINS or not _is_skewed(together)):
        width = 1 if high - low < WHOLE_BINS else math.ceil((high - low + 1) / BINS)
        edges = np.arange(low, high + width + 1, width)
        ends = [[edge, edge + width - 1] for edge in edges[:-1]]
    elif _is_skewed(together):
        edges = np.expm1(np.linspace(np.log1p(low), np.log1p(high), BINS + 1))
        edges[0], edges[-1] = low, high
        ends = [list(pair) for pair in itertools.pairwise(edges)]
    else:
        edges = np.linspace(low, high, BINS + 1)
        ends = [list(pair) for pair in itertools.pairwise(edges)]
    return {
        "bins": [[round(float(end), 4) for end in pair] for pair in ends],
        "counts": {
            name: np.histogram(values, edges)[0].tolist() for name, values in finite.items()
        },
    }


def _is_skewed(values: np.ndarray) -> bool:
    """Whether none is below 0 and the mean is far above the median."""
    return values.min() >= 0 and float(values.mean()) > 1.3 * float(np.median(values))


def listed(splits: Mapping[str, Counter[str]], least: float = 0) -> dict[str, Any]:
    """How many rows of each split a group has, the largest groups first, the rest as one.

    A group that has less than a fraction `least` of all is one of the rest.
    """
    total: Counter[str] = sum(splits.values(), Counter())
    names = [name for name, _ in sorted(total.items(), key=lambda each: (-each[1], each[0]))]
    enough = [name for name in names if total[name] >= least * total.total()][:LISTED_GROUPS]
    table = {name: {split: of[name] for split, of in splits.items()} for name in enough}
    if rest := names[len(enough) :]:
        table[f"{len(rest):,} {OTHERS}"] = {
            split: sum(of[name] for name in rest) for split, of in splits.items()
        }
    return table


def known_placeholders(splits: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """The placeholders that enough rows have, as `listed` gives them."""
    known = _known(splits)
    return listed(
        {split: Counter({n: of[n] for n in known if of[n]}) for split, of in splits.items()}
    )


def known_groups(splits: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """The groups as `listed` gives them; those of few rows, which may be texts of them, as one."""
    known = _known(splits)
    rare = {name for of in splits.values() for name in of} - known
    table = listed(
        {split: Counter({n: of[n] for n in known if of[n]}) for split, of in splits.items()}
    )
    if rare:
        table[f"{len(rare):,} of fewer than {LEAST_ROWS} rows"] = {
            split: sum(of[name] for name in rare) for split, of in splits.items()
        }
    return table


def _known(splits: Mapping[str, Counter[str]]) -> set[str]:
    total: Counter[str] = sum(splits.values(), Counter())
    return {name for name, rows in total.items() if rows >= LEAST_ROWS}
