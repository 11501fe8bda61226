"""From scored rows to what stands in a metric file: scores, intervals, flags, the paired gain.

A model that gives too few answers has no scores: what stands in for an answer, such as a constant,
would be scored in its place, and not answering would pay.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.core.errors import DataError
from finetune.core.schema import Bootstrap
from finetune.scoring import paired
from finetune.scoring.metrics import NO_ANSWER, Flag, Metric, Prediction, answered, imputed


def is_silent(
    flags: Sequence[Flag], predictions: Sequence[Prediction], max_no_answer: float
) -> bool:
    """Whether a larger fraction of the rows than `max_no_answer` has no answer."""
    unanswered = sum(not answered(flags, row) for row in predictions)
    return unanswered > max_no_answer * len(predictions)


def summary(
    metrics: Sequence[Metric],
    flags: Sequence[Flag],
    predictions: Sequence[Prediction],
    options: Bootstrap,
    protocol: Mapping[str, Any],
    max_no_answer: float,
) -> dict[str, Any]:
    """Each metric that the rows have, its interval, the number of rows, and the rows' flags.

    `protocol` is what the scores cannot be compared without: decoding and scoring options. Above
    the fraction `max_no_answer` of rows without an answer there is no metric, only the flags and
    the rate. Else metrics are over all rows, what stands in for a missing answer included, and
    where an answer is missing `answered` has them over the others.
    """
    silent = is_silent(flags, predictions, max_no_answer)
    shown = [] if silent else [metric for metric in metrics if metric.is_of(predictions)]
    intervals = {
        metric.key: interval
        for metric in shown
        if (interval := metric.interval(predictions, options))
    }
    rows, raised = _with_no_answer(flags, predictions)
    rates = {f"{flag.key}_rate": flag.rate(rows, options) for flag in raised}
    return {
        **{metric.key: round(metric.score(predictions), 4) for metric in shown},
        "n": len(predictions),
        **{flag.key: sum(bool(row.get(flag.key)) for row in rows) for flag in raised},
        **{key: round(rate.mean, 4) for key, rate in rates.items()},
        "interval": {
            key: {"low": round(interval.low, 4), "high": round(interval.high, 4)}
            for key, interval in (intervals | rates).items()
        },
        **({} if silent else _of_answered(metrics, flags, predictions)),
        "protocol": {"split": "test", **protocol},
    }


def _with_no_answer(
    flags: Sequence[Flag], predictions: Sequence[Prediction]
) -> tuple[list[Prediction], list[Flag]]:
    """Rows with the flag `no_answer`, and the flags that some row carries, that one among them."""
    raised = [flag for flag in flags if any(flag.key in row for row in predictions)]
    if not any(flag.is_no_answer for flag in raised):
        return list(predictions), raised
    rows = [{**row, NO_ANSWER.key: not answered(flags, row)} for row in predictions]
    return rows, [*(flag for flag in raised if flag.key != NO_ANSWER.key), NO_ANSWER]


def _of_answered(
    metrics: Sequence[Metric], flags: Sequence[Flag], predictions: Sequence[Prediction]
) -> dict[str, Any]:
    """The metrics over the rows with an answer; nothing where those are all rows, or none."""
    rows = [row for row in predictions if answered(flags, row)]
    if len(rows) in (0, len(predictions)):
        return {}
    return {"answered": {**_values(metrics, rows), "n": len(rows)}}


def _values(metrics: Sequence[Metric], predictions: Sequence[Prediction]) -> dict[str, float]:
    return {m.key: round(m.score(predictions), 4) for m in metrics if m.is_of(predictions)}


def scores(
    metrics: Sequence[Metric],
    flags: Sequence[Flag],
    predictions: Sequence[Prediction],
    max_no_answer: float,
) -> dict[str, Any]:
    """Each metric that the rows have, and their number: what validation rows choose by.

    Of rows without an answer as in `summary`.
    """
    silent = is_silent(flags, predictions, max_no_answer)
    rows, raised = _with_no_answer(flags, predictions)
    counted: dict[str, Any] = {}
    if NO_ANSWER in raised:
        unanswered = sum(row[NO_ANSWER.key] for row in rows)
        counted["no_answer_rate"] = round(100 * unanswered / len(rows), 4)
    return {
        **({} if silent else _values(metrics, predictions)),
        "n": len(predictions),
        **counted,
        **({} if silent else _of_answered(metrics, flags, predictions)),
    }


def gain(
    metrics: Sequence[Metric],
    flags: Sequence[Flag],
    before: Sequence[Prediction],
    after: Sequence[Prediction],
    options: Bootstrap,
    max_no_answer: float,
) -> dict[str, dict[str, float]]:
    """For each metric the paired difference after - before over rows with nothing imputed.

    With its interval and `n`, the number of those rows; where some are left out, `before` and
    `after` are the scores over the same rows. Empty where either has no scores for want of answers.

    Raises:
        DataError: the two are not predictions for the same rows in the same order.
    """
    if [row["id"] for row in before] != [row["id"] for row in after]:
        raise DataError("predictions to compare are not for the same rows; run `dvc repro`")
    both = both_answered(flags, before, after)
    if not both or any(is_silent(flags, rows, max_no_answer) for rows in (before, after)):
        return {}
    old, new = ([pair[side] for pair in both] for side in (0, 1))
    return {
        metric.key: {
            **difference(metric, metric.values(old), metric.values(new), options),
            "n": len(both),
            **(_sides(metric, old, new) if len(both) < len(before) else {}),
        }
        for metric in metrics
        if metric.is_of(old) and metric.is_of(new) and len(old) >= metric.min_rows
    }


def both_answered(
    flags: Sequence[Flag], before: Sequence[Prediction], after: Sequence[Prediction]
) -> list[tuple[Prediction, Prediction]]:
    """The pairs of rows, which are in the same order, in which no constant stands in."""
    pairs = zip(before, after, strict=True)
    return [pair for pair in pairs if not any(imputed(flags, row) for row in pair)]


def _sides(
    metric: Metric, before: Sequence[Prediction], after: Sequence[Prediction]
) -> dict[str, float]:
    return {
        "before": round(metric.score(before), 4),
        "after": round(metric.score(after), 4),
    }


def difference(
    metric: Metric, before: list[list[float]], after: list[list[float]], options: Bootstrap
) -> dict[str, float]:
    """The paired difference after - before of a metric's columns, with its interval."""
    gained = paired.paired_gain(before, after, options, metric.statistic, metric.is_rate)
    return gained.rounded()
