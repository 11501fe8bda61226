"""Predictions of a task, scored row by row, and the metrics that the rows add up to.

A *prediction* is one row of `predictions/<task>/*.jsonl`: `id`, `prediction`, `reference`, the
row's own scores, and flags of what went wrong. Any two files over the same rows can be paired.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.errors import DataError
from finetune.params import Bootstrap, PriceScore, SummaryScore
from finetune.scoring import bootstrap, paired, regression, rouge
from finetune.scoring.bootstrap import Statistic

Row = dict[str, Any]


@dataclass(frozen=True)
class Metric:
    """What rows add up to: a statistic over some of their columns."""

    columns: tuple[str, ...]
    statistic: Statistic = np.mean
    higher_is_better: bool = True

    def values(self, predictions: Sequence[Row]) -> list[list[float]]:
        """The columns, each a list over rows."""
        return [[float(row[column]) for row in predictions] for column in self.columns]


METRICS: dict[str, dict[str, Metric]] = {
    "summarization": {name: Metric((name,)) for name in rouge.NAMES},
    "price": {
        "mae": Metric(("absolute_error",), higher_is_better=False),
        "median_error": Metric(("absolute_error",), np.median, higher_is_better=False),
        "rmsle": Metric(("prediction", "reference"), regression.rmsle, higher_is_better=False),
        "r2": Metric(("prediction", "reference"), regression.r2),
        "hits": Metric(("hit",)),
    },
}
# Flags of rows, counted in the metrics by these names.
FLAGS = ("prompt_truncated", "hit_length_cap", "empty", "unparsable")


def score_summaries(
    rows: Sequence[Row], predictions: Sequence[str], options: SummaryScore
) -> list[Row]:
    """Predictions for the rows, scored by ROUGE."""
    pairs = [(text, row["summary"]) for row, text in zip(rows, predictions, strict=True)]
    return [
        {"id": row["id"], "prediction": text, "reference": reference, **_rounded(scores)}
        for row, (text, reference), scores in zip(
            rows, pairs, rouge.rouge(pairs, options.stemmer), strict=True
        )
    ]


def score_prices(
    rows: Sequence[Row], predictions: Iterable[float], options: PriceScore
) -> list[Row]:
    """Predictions for the rows in USD, scored by their error."""
    return [
        {
            "id": row["id"],
            "prediction": round(float(price), 2),
            "reference": row["price"],
            **_rounded(regression.price_error(float(price), row["price"], options)),
        }
        for row, price in zip(rows, predictions, strict=True)
    ]


def score(
    kind: str, rows: Sequence[Row], guesses: Sequence[Any], options: SummaryScore | PriceScore
) -> list[Row]:
    """Predictions for the rows of a kind: texts for summaries, USD for prices."""
    scorers = {"summarization": score_summaries, "price": score_prices}
    return scorers[kind](rows, guesses, options)


def metrics(
    kind: str, predictions: Sequence[Row], options: Bootstrap, protocol: Mapping[str, Any]
) -> dict[str, Any]:
    """Each metric of the kind, its interval, the number of rows, and the flags that rows carry.

    `protocol` is what the scores cannot be compared without: decoding and scoring options.
    """
    intervals = {
        name: bootstrap.interval(metric.values(predictions), options, metric.statistic)
        for name, metric in METRICS[kind].items()
    }
    flags = {
        flag: sum(bool(row[flag]) for row in predictions)
        for flag in FLAGS
        if any(flag in row for row in predictions)
    }
    return {
        **{metric: round(interval.mean, 4) for metric, interval in intervals.items()},
        "n": len(predictions),
        **flags,
        "interval": {
            metric: {"low": round(interval.low, 4), "high": round(interval.high, 4)}
            for metric, interval in intervals.items()
        },
        "protocol": {"split": "test", **protocol},
    }


def gain(
    kind: str, before: Sequence[Row], after: Sequence[Row], options: Bootstrap
) -> dict[str, dict[str, float]]:
    """For each metric the paired difference after - before, its interval and its p-value.

    Raises:
        DataError: the two are not predictions for the same rows in the same order.
    """
    if [row["id"] for row in before] != [row["id"] for row in after]:
        raise DataError("predictions to compare are not for the same rows; run `dvc repro`")
    gains = {}
    for name, metric in METRICS[kind].items():
        old, new = metric.values(before), metric.values(after)
        found = bootstrap.paired_gain(old, new, options, metric.statistic)
        p = paired.permutation_p(old, new, options.resamples, options.seed, metric.statistic)
        gains[name] = {**found.rounded(), "p": round(p, 6)}
    return gains


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    """To what is worth reading in a file of predictions."""
    return {name: round(value, 4) for name, value in scores.items()}
