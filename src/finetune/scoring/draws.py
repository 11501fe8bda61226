"""Scores over several draws of few-shot examples or sampled answers: how far luck moves them."""

import statistics
from collections.abc import Sequence
from typing import Any

from finetune.core.schema import Eval
from finetune.scoring.metrics import Metric, Prediction


def by_draw(predictions: Sequence[Prediction]) -> list[list[Prediction]]:
    """The rows of a file of predictions by draw, in their order; empty for none.

    The first draw's have no key `draw`: they are what all else is made of.
    """
    draws: dict[int, list[Prediction]] = {}
    for row in predictions:
        draws.setdefault(row.get("draw", 0), []).append(row)
    return [rows for _, rows in sorted(draws.items())]


def of(shots: int, options: Eval) -> str:
    """What another draw would draw anew: "examples", "samples", or both."""
    chances = {"examples": bool(shots), "samples": options.is_random}
    return " and ".join(name for name, is_drawn in chances.items() if is_drawn)


def spread(
    metrics: Sequence[Metric], scored: Sequence[Sequence[Prediction]], what: str
) -> dict[str, Any]:
    """Each metric over the scored rows of several draws; empty for a single one.

    For a metric: `mean`, `sd` (of a sample), `low` and `high` (the smallest and the largest), and
    `values`, the first draw's first. There are `n` draws, `of` what `of` says.
    """
    if len(scored) < 2:
        return {}
    values = {
        metric.key: [metric.score(rows) for rows in scored]
        for metric in metrics
        if all(metric.is_of(rows) for rows in scored)
    }
    return {"draws": {"n": len(scored), "of": what, **{k: _spread(v) for k, v in values.items()}}}


def _spread(values: Sequence[float]) -> dict[str, Any]:
    summary = {
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values),
        "low": min(values),
        "high": max(values),
    }
    rounded = {name: round(value, 4) for name, value in summary.items()}
    return {**rounded, "values": [round(value, 4) for value in values]}
