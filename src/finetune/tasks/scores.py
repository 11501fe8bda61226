"""Predictions of a task, scored row by row, and the metrics that the rows add up to.

A *prediction* is one row of `predictions/<task>/*.jsonl`: `id`, `prediction`, `reference`, the
row's own scores, and flags of what went wrong. Any two files over the same rows can be paired.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.core.errors import DataError
from finetune.core.schema import Bootstrap, PriceScore, SummaryScore
from finetune.scoring import bootstrap, paired, ratios, regression, rouge
from finetune.scoring.bootstrap import Statistic
from finetune.tasks import summarization

Row = dict[str, Any]


@dataclass(frozen=True)
class Metric:
    """What rows add up to: a statistic over some of their columns.

    `higher_is_better` is None for what is neither better nor worse, such as a length. A share is a
    mean of 0 and 100. Two runs compare only where they have the same values of `alike` in each row.
    """

    columns: tuple[str, ...]
    statistic: Statistic = np.mean
    higher_is_better: bool | None = True
    is_share: bool = False
    alike: tuple[str, ...] = ()

    def values(self, predictions: Sequence[Row]) -> list[list[float]]:
        """The columns, each a list over rows."""
        return [[float(row[column]) for row in predictions] for column in self.columns]

    def is_of(self, predictions: Sequence[Row]) -> bool:
        """The rows have its columns: only a model gives references a probability, say."""
        return all(column in row for row in predictions for column in self.columns)

    def compares(self, one: Sequence[Row], other: Sequence[Row]) -> bool:
        """Whether two runs' rows have it, and of the same kind; rows are paired by their id."""
        if not (self.is_of(one) and self.is_of(other)):
            return False
        theirs = {row["id"]: row for row in other}
        return all(row[c] == theirs[row["id"]][c] for row in one for c in self.alike)

    def interval(self, predictions: Sequence[Row], options: Bootstrap) -> bootstrap.Interval:
        """What the rows add up to, with its confidence interval."""
        values = self.values(predictions)
        if self.is_share and len(set(values[0])) == 1:
            return bootstrap.unanimous(values[0][0], len(values[0]), options)
        return bootstrap.interval(values, options, self.statistic)


METRICS: dict[str, dict[str, Metric]] = {
    "summarization": {
        **{name: Metric((name,)) for name in rouge.NAMES},
        "length_ratio": Metric(
            ("prediction_words", "reference_words"), ratios.ratio, higher_is_better=None
        ),
        "perplexity": Metric(
            ("reference_nll", "reference_tokens"),
            ratios.perplexity,
            higher_is_better=False,
            # Per token: of other tokens, or of references cut elsewhere, it is another quantity.
            alike=("reference_tokens",),
        ),
    },
    "price": {
        "mae": Metric(("absolute_error",), higher_is_better=False),
        "median_error": Metric(("absolute_error",), np.median, higher_is_better=False),
        "rmsle": Metric(("prediction", "reference"), regression.rmsle, higher_is_better=False),
        "r2": Metric(("prediction", "reference"), regression.r2),
        "hits": Metric(("hit",), is_share=True),
        "crps": Metric(("crps",), higher_is_better=False),
        # Good where they are what they are named after, neither above nor below.
        "coverage_50": Metric(("covered_50",), higher_is_better=None),
        "coverage_90": Metric(("covered_90",), higher_is_better=None),
        "outside": Metric(("outside",), higher_is_better=None),
    },
}
# Flags of rows, counted in the metrics by these names; their share is in percent.
FLAGS = (
    "prompt_truncated",
    "shots_dropped",
    "reference_truncated",  # for its perplexity; it is scored whole
    "hit_length_cap",
    "empty",
    "unparsable",
)


def score_summaries(
    rows: Sequence[Row], predictions: Sequence[str], options: SummaryScore
) -> list[Row]:
    """Predictions for the rows, scored by ROUGE.

    Of several references, which a row then lists, each score is that of the best one; `reference`
    is the first, and the length ratio is to it.
    """
    pairs = [
        (text, summarization.references(row)) for row, text in zip(rows, predictions, strict=True)
    ]
    return [
        {
            "id": row["id"],
            "prediction": text,
            "reference": references[0],
            **({"references": references} if len(references) > 1 else {}),
            **_rounded(scores),
            "prediction_words": len(text.split()),
            "reference_words": len(references[0].split()),
        }
        for row, (text, references), scores in zip(
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
            "category": row.get("category"),
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
    """Each metric that the rows have, its interval, the number of rows, and the rows' flags.

    `protocol` is what the scores cannot be compared without: decoding and scoring options. Where
    rows carry a predicted distribution, `estimates` holds what each point estimate of it gets.
    """
    intervals = {
        name: metric.interval(predictions, options)
        for name, metric in METRICS[kind].items()
        if metric.is_of(predictions)
    }
    flags = {
        flag: sum(bool(row[flag]) for row in predictions)
        for flag in FLAGS
        if any(flag in row for row in predictions)
    }
    shares = {f"{flag}_share": _share(flag, predictions, options) for flag in flags}
    found = {
        **{metric: round(interval.mean, 4) for metric, interval in intervals.items()},
        "n": len(predictions),
        **flags,
        **{name: round(share.mean, 4) for name, share in shares.items()},
        "interval": {
            name: {"low": round(interval.low, 4), "high": round(interval.high, 4)}
            for name, interval in (intervals | shares).items()
        },
        "protocol": {"split": "test", **protocol},
    }
    if "estimates" in predictions[0]:
        found["estimates"] = estimate_errors(predictions, options)
    return found


def _share(flag: str, predictions: Sequence[Row], options: Bootstrap) -> bootstrap.Interval:
    """The percentage of rows with a flag."""
    rows = [{flag: 100 * bool(row.get(flag))} for row in predictions]
    return Metric((flag,), is_share=True).interval(rows, options)


def estimate_errors(predictions: Sequence[Row], options: Bootstrap) -> dict[str, Any]:
    """For each point estimate of the rows' distributions its mean absolute error, in USD.

    `difference` is that error minus the median's, over the same rows: above 0, the median is
    better.
    """
    errors = {
        name: [abs(row["estimates"][name] - row["reference"]) for row in predictions]
        for name in predictions[0]["estimates"]
    }
    found = {}
    for name, values in errors.items():
        error = bootstrap.interval([values], options).rounded()
        found[name] = {"mae": error["mean"], "low": error["low"], "high": error["high"]}
        if name != "median":
            found[name]["difference"] = _difference(
                Metric(("absolute_error",)), [errors["median"]], [values], options
            )
    return found


def gain(
    kind: str, before: Sequence[Row], after: Sequence[Row], options: Bootstrap
) -> dict[str, dict[str, float]]:
    """For each metric the paired difference after - before, its interval and its p-value.

    Raises:
        DataError: the two are not predictions for the same rows in the same order.
    """
    if [row["id"] for row in before] != [row["id"] for row in after]:
        raise DataError("predictions to compare are not for the same rows; run `dvc repro`")
    return {
        name: _difference(metric, metric.values(before), metric.values(after), options)
        for name, metric in METRICS[kind].items()
        if metric.is_of(before) and metric.is_of(after)
    }


def _difference(
    metric: Metric, old: list[list[float]], new: list[list[float]], options: Bootstrap
) -> dict[str, float]:
    """The paired difference new - old, its interval and its p-value."""
    found = bootstrap.paired_gain(old, new, options, metric.statistic)
    p = paired.p_value(old, new, options, metric.statistic)
    return {**found.rounded(), "p": round(p, 6)}


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    """To what is worth reading in a file of predictions."""
    return {name: round(value, 4) for name, value in scores.items()}
