"""From scored rows to what stands in a metric file: scores, intervals, flags, the paired gain."""

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.core.errors import DataError
from finetune.core.schema import Bootstrap
from finetune.scoring import paired
from finetune.scoring.metrics import Flag, Metric, Prediction


def summary(
    metrics: Sequence[Metric],
    flags: Sequence[Flag],
    predictions: Sequence[Prediction],
    options: Bootstrap,
    protocol: Mapping[str, Any],
) -> dict[str, Any]:
    """Each metric that the rows have, its interval, the number of rows, and the rows' flags.

    `protocol` is what the scores cannot be compared without: decoding and scoring options.
    """
    shown = [metric for metric in metrics if metric.is_of(predictions)]
    intervals = {
        metric.key: interval
        for metric in shown
        if (interval := metric.interval(predictions, options))
    }
    raised = [flag for flag in flags if any(flag.key in row for row in predictions)]
    rates = {f"{flag.key}_rate": flag.rate(predictions, options) for flag in raised}
    return {
        **{metric.key: round(metric.score(predictions), 4) for metric in shown},
        "n": len(predictions),
        **{flag.key: sum(bool(row.get(flag.key)) for row in predictions) for flag in raised},
        **{key: round(rate.mean, 4) for key, rate in rates.items()},
        "interval": {
            key: {"low": round(interval.low, 4), "high": round(interval.high, 4)}
            for key, interval in (intervals | rates).items()
        },
        "protocol": {"split": "test", **protocol},
    }


def scores(metrics: Sequence[Metric], predictions: Sequence[Prediction]) -> dict[str, float]:
    """Each metric that the rows have, and their number: what validation rows choose by."""
    values = {m.key: round(m.score(predictions), 4) for m in metrics if m.is_of(predictions)}
    return {**values, "n": len(predictions)}


def gain(
    metrics: Sequence[Metric],
    before: Sequence[Prediction],
    after: Sequence[Prediction],
    options: Bootstrap,
) -> dict[str, dict[str, float]]:
    """For each metric the paired difference after - before, and its interval.

    Raises:
        DataError: the two are not predictions for the same rows in the same order.
    """
    if [row["id"] for row in before] != [row["id"] for row in after]:
        raise DataError("predictions to compare are not for the same rows; run `dvc repro`")
    return {
        metric.key: difference(metric, metric.values(before), metric.values(after), options)
        for metric in metrics
        if metric.is_of(before) and metric.is_of(after) and len(before) >= metric.min_rows
    }


def difference(
    metric: Metric, before: list[list[float]], after: list[list[float]], options: Bootstrap
) -> dict[str, float]:
    """The paired difference after - before of a metric's columns, its interval."""
    gained = paired.paired_gain(before, after, options, metric.statistic, metric.is_rate)
    return gained.rounded()
