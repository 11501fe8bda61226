"""How prices are scored: by their error, and by the distribution that they come from."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from finetune.core.schema import Bootstrap, Prompt
from finetune.scoring import draws, intervals, regression
from finetune.scoring.metrics import (
    FLAGS as TEXT_FLAGS,
)
from finetune.scoring.metrics import (
    Flag,
    Group,
    Grouping,
    Metric,
    Prediction,
    Row,
    band,
    in_units,
    rounded,
)
from finetune.scoring.summary import difference
from finetune.tasks.price.options import Answer, PriceScore, answer_to

DEFAULT = Answer()
# The parameter of the prompt.
CURRENCY = "answer.currency"
MAE = Metric(
    key="mae",
    columns=("absolute_error",),
    title="mean absolute error",
    meaning="how far off a price is on average",
    unit=DEFAULT.currency,
    unit_param=CURRENCY,
    higher_is_better=False,
    in_readme=True,
    in_groups=True,
)
METRICS = (
    MAE,
    Metric(
        key="median_error",
        columns=("absolute_error",),
        statistic=np.median,
        title="median absolute error",
        meaning="how far off half of the prices are at most",
        unit=DEFAULT.currency,
        unit_param=CURRENCY,
        higher_is_better=False,
        in_groups=True,
    ),
    Metric(
        key="rmsle",
        columns=("prediction", "reference"),
        statistic=regression.rmsle,
        title="RMSLE",
        meaning="root mean squared difference of log(1 + price)",
        decimals=3,
        higher_is_better=False,
        column="absolute_error",
        in_groups=True,
    ),
    Metric(
        key="r2",
        columns=("prediction", "reference"),
        statistic=regression.r2,
        title="R²",
        meaning="fraction of the prices' variance explained; below 0, one price does better",
        decimals=3,
        # It rests on a few high prices: of 200 rows a 95 % interval held it in 88 to 96 % of draws.
        min_rows=800,
        column="absolute_error",
        column_is_error=True,
        in_groups=True,
    ),
    Metric(
        key="hits",
        columns=("hit",),
        title="hits",
        meaning="prices that are close (by hit_within or hit_fraction of tasks.…score)",
        unit="%",
        decimals=1,
        is_rate=True,
        in_readme=True,
        in_groups=True,
    ),
    Metric(
        key="crps",
        columns=("crps",),
        title="CRPS",
        meaning="error of the whole predicted distribution; of a single price, the absolute error",
        unit=DEFAULT.currency,
        unit_param=CURRENCY,
        higher_is_better=False,
    ),
    Metric(
        key="crps_charged",
        columns=("crps_charged",),
        title="CRPS, charged",
        meaning="the same, with the mass on no price at the worst one: the lowest or the highest",
        unit=DEFAULT.currency,
        unit_param=CURRENCY,
        higher_is_better=False,
        alike=("highest",),
    ),
    # Good where they are what they are named after, neither above nor below.
    Metric(
        key="coverage_50",
        columns=("covered_50",),
        title="in the 50 % interval",
        meaning="true prices within the central 50 % of it; 50 is best",
        unit="%",
        decimals=1,
        higher_is_better=None,
        is_percentage=True,
    ),
    Metric(
        key="coverage_90",
        columns=("covered_90",),
        title="in the 90 % interval",
        meaning="true prices within the central 90 % of it; 90 is best",
        unit="%",
        decimals=1,
        higher_is_better=None,
        is_percentage=True,
    ),
    Metric(
        key="outside",
        columns=("outside",),
        title="mass on no price",
        meaning="probability of answers that are none of the prices that can be answered",
        unit="%",
        higher_is_better=None,
        in_groups=True,
    ),
    Metric(
        key="sampled_agreement",
        columns=("sampled_agreement",),
        title="agreement of samples",
        meaning="probability that two sampled answers to a row are the same price",
        unit="%",
        decimals=1,
        higher_is_better=None,
        is_percentage=True,
    ),
    draws.agreement_metric("pairs of draws of a row that give it the same price"),
)
FLAGS = (
    *TEXT_FLAGS,
    Flag(
        "unparsable",
        "less than eval.min_mass of the probability is on prices",
        is_no_answer=True,
        is_imputed=True,
    ),
    Flag(
        "continues", "the likeliest price is the beginning of a longer number, such as 129 of 1299"
    ),
)
# Lower ends of bands, in units; real prices have a median of 30 to 150.
BANDS = (0, 20, 50, 100, 200, 500)
NO_CATEGORY = "(none)"


def _category(row: Row) -> Group:
    return 0, row.get("category") or NO_CATEGORY


def _price_of(answer: Answer) -> Callable[[Row], Group]:
    ends = [round(answer.unit * start, 6) for start in BANDS]
    starts = [int(end) if end == int(end) else end for end in ends]
    return lambda row: band(row["price"], starts, answer.currency)


def _groupings(answer: Answer) -> tuple[Grouping, ...]:
    return Grouping("category", _category), Grouping("price", _price_of(answer))


GROUPINGS = _groupings(DEFAULT)


def of_prompt(prompt: Prompt) -> dict[str, Any]:
    """`METRICS` and `GROUPINGS` in a task's own currency and unit."""
    answer = answer_to(prompt)
    metrics = in_units(METRICS, {CURRENCY: answer.currency}.get)
    return {"METRICS": metrics, "GROUPINGS": _groupings(answer)}


def score(
    rows: Sequence[Row], predictions: Sequence[Prediction], options: PriceScore
) -> list[Prediction]:
    """Predicted prices, scored by their error."""
    scored: list[Prediction] = []
    for row, prediction in zip(rows, predictions, strict=True):
        price = float(prediction["prediction"])
        errors = regression.price_error(
            price, row["price"], options.hit_within, options.hit_fraction
        )
        known = {"id": row["id"], "reference": row["price"], "category": row.get("category")}
        scored.append({**known, **prediction, "prediction": round(price, 2), **rounded(errors)})
    return scored


def draw_agreement(
    pairs: Sequence[tuple[Prediction, Prediction]], options: PriceScore
) -> list[float]:
    """100 where two answers to a row are the same price."""
    return [100.0 * (one["prediction"] == other["prediction"]) for one, other in pairs]


def details(predictions: Sequence[Prediction], options: Bootstrap) -> dict[str, Any]:
    """`estimates`: the mean absolute error of each point estimate of the distributions.

    `difference` is that error minus the median's, over the same rows: above 0, the median is
    better. Empty for predictions without a distribution.
    """
    if not predictions or "estimates" not in predictions[0]:
        return {}
    errors = {
        name: [abs(row["estimates"][name] - row["reference"]) for row in predictions]
        for name in predictions[0]["estimates"]
    }
    estimates: dict[str, Any] = {}
    for name, values in errors.items():
        error = intervals.interval([values], options).rounded()
        estimates[name] = {"mae": error["mean"], "low": error["low"], "high": error["high"]}
        if name != "median":
            estimates[name]["difference"] = difference(MAE, [errors["median"]], [values], options)
    return {"estimates": estimates}
