"""Scores over several draws of few-shot examples or sampled answers: how far luck moves them.

And how far the draws' answers to a row agree, whatever they score.
"""

import itertools
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from finetune.core.schema import Eval
from finetune.scoring.metrics import Flag, Metric, Prediction, answered

# For each pair of scored answers to one row how far they agree, 0 to 100; takes scoring options.
PairAgreement = Callable[[Sequence[tuple[Prediction, Prediction]], Any], list[float]]
AGREEMENT = "draw_agreement"


def agreement_metric(meaning: str) -> Metric:
    """How far the draws' answers to a row agree, over the rows; `meaning` is for what kind."""
    return Metric(
        key=AGREEMENT,
        columns=(AGREEMENT,),
        title="agreement of draws",
        meaning=meaning,
        unit="%",
        decimals=1,
        # A constant agrees with itself, and is worth nothing.
        higher_is_better=None,
        is_percentage=True,
    )


def by_draw(predictions: Sequence[Prediction]) -> list[list[Prediction]]:
    """The rows of a file of predictions by draw, in their order; empty for none.

    The first draw's have no key `draw`: they are what all else is made of.
    """
    draws: dict[int, list[Prediction]] = {}
    for row in predictions:
        draws.setdefault(row.get("draw", 0), []).append(row)
    return [rows for _, rows in sorted(draws.items())]


def with_agreement(
    scored: Sequence[list[Prediction]],
    flags: Sequence[Flag],
    agree: PairAgreement | None,
    options: Any,
) -> list[list[Prediction]]:
    """The draws, and in each row of the first one how far the answers of all draws agree.

    `draw_agreement` is the mean over all pairs of draws, 0 to 100; where one of a pair has no
    answer, it agrees with nothing. A single draw is given back as it is.
    """
    draws = list(scored)
    if len(draws) < 2 or agree is None:
        return draws
    pairs = [
        pair for of_row in zip(*draws, strict=True) for pair in itertools.combinations(of_row, 2)
    ]
    values = [
        value if all(answered(flags, row) for row in pair) else 0.0
        for pair, value in zip(pairs, agree(pairs, options), strict=True)
    ]
    count = len(draws) * (len(draws) - 1) // 2
    means = [
        round(statistics.fmean(values[start : start + count]), 4)
        for start in range(0, len(values), count)
    ]
    first = [{**row, AGREEMENT: mean} for row, mean in zip(draws[0], means, strict=True)]
    return [first, *draws[1:]]


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
