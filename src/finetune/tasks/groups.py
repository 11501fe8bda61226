"""Scores of groups of rows: where a model is good and where it is bad.

A row belongs to one group for each *by* of its kind: summaries by the length of the dialogue,
prices by category and by price.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from finetune.core.schema import Bootstrap
from finetune.tasks.scores import METRICS

Row = dict[str, Any]

# Lower ends of bands. Real dialogues have 94 words on average, real prices a median of 30 to 150.
WORDS = (0, 51, 101, 201)
USD = (0, 20, 50, 100, 200, 500)
NO_CATEGORY = "(none)"
# Of fewer rows the bootstrap's 95 % interval holds far less often than that (of 5, in 76 % of
# draws from a log-normal distribution), so there is none.
LEAST_ROWS = 10

# The metrics worth reading in a small group; the first of them with an interval.
SCORES = {
    "summarization": ("rouge1", "rouge2", "rougeL", "rougeLsum"),
    "price": ("mae", "median_error", "rmsle", "r2", "hits"),
}
# A group's place in its order, and its name.
Group = tuple[int, str]
BY: dict[str, dict[str, Callable[[Row], Group]]] = {
    "summarization": {"length": lambda row: band(len(row["dialogue"].split()), WORDS, "words")},
    "price": {
        "category": lambda row: (0, row.get("category") or NO_CATEGORY),
        "price": lambda row: band(row["price"], USD, "USD"),
    },
}


def table(
    kind: str,
    rows: Sequence[Row],
    models: Mapping[str, Sequence[Row]],
    options: Bootstrap,
) -> Iterator[Row]:
    """A row for each group and model: `by`, `group`, `model`, `rows`, and the group's scores.

    `models` are the models' predictions for `rows`, in their order. Bands come in their order,
    other groups by their name.
    """
    first, *_ = SCORES[kind]
    for by, group_of in BY[kind].items():
        members: dict[Group, list[int]] = {}
        for number, row in enumerate(rows):
            members.setdefault(group_of(row), []).append(number)
        for (_, group), numbers in sorted(members.items()):
            for model, predictions in models.items():
                chosen = [predictions[number] for number in numbers]
                scores = {name: round(_score(kind, name, chosen), 4) for name in SCORES[kind]}
                ends: Row = {f"{first}_low": None, f"{first}_high": None}
                if len(chosen) >= LEAST_ROWS:
                    found = METRICS[kind][first].interval(chosen, options).rounded()
                    ends = {f"{first}_{end}": found[end] for end in ("low", "high")}
                if kind == "price":
                    mute = sum(bool(prediction.get("unparsable")) for prediction in chosen)
                    scores["unparsable_share"] = round(100 * mute / len(chosen), 4)
                names = {"by": by, "group": group, "model": model, "rows": len(chosen)}
                yield {**names, **scores, **ends}


def band(value: float, starts: Sequence[int], unit: str) -> Group:
    """`51–100 words`: the band that holds a value; `starts` are the bands' lower ends."""
    for start, following in pairwise(starts):
        if value < following:
            # Of whole numbers the last one, of others the end that they do not reach.
            last = following - 1 if isinstance(value, int) else following
            return start, f"{start}–{last} {unit}"
    return starts[-1], f"{starts[-1]}+ {unit}"


def _score(kind: str, name: str, predictions: Sequence[Row]) -> float:
    metric = METRICS[kind][name]
    return float(metric.statistic(*map(np.asarray, metric.values(predictions)), axis=-1))
