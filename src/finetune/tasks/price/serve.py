"""How prices are served: `/price`, an estimate with ranges, from the distribution of `predict`."""

from typing import Annotated, Any

from pydantic import Field

from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt
from finetune.inference import distributions
from finetune.inference.choices import Distribution
from finetune.inference.predict import Request
from finetune.serving.typed import Endpoint, Shown, Text, TypedAnswer, TypedRequest
from finetune.tasks.price.options import Answer, PriceEval, answer_to
from finetune.tasks.price.predict import predicted_distributions
from finetune.tasks.price.rows import Row, clean

EXAMPLE = "Cordless drill, 18 V, with two batteries, a charger and a case. Brushless motor."
# Of a row before it is answered: a request has no price.
NO_PRICE = 0.0


class PriceRequest(TypedRequest):
    """The description of a product."""

    text: Text


class PriceAnswer(TypedAnswer):
    """A price in `currency`, and how sure the model is.

    estimate: what `predict` answers, by the task's `eval.estimate`.
    range_50, range_90: central ranges that hold the price with that probability, as the model has
        it; `docs/scores.md` says how often they did on test rows.
    probability_no_price: of the model writing something else. Where it is too high by the task's
        `eval.min_mass`, there is no answer: estimate, median and ranges are null.
    """

    currency: str
    estimate: float | None
    median: float | None
    range_50: tuple[float, float] | None
    range_90: tuple[float, float] | None
    probability_no_price: Annotated[float, Field(ge=0, le=1)]


def row(text: str, prompt: Prompt) -> TaskRow:
    """The description as a row of the pipeline, without a price."""
    return clean({"id": "request", "text": text, "price": NO_PRICE}, prompt)


def answers(request: Request[Row, PriceEval]) -> list[dict[str, Any]]:
    """The fields of the answers."""
    answer = answer_to(request.encoder.prompt)
    return [_answer(each, request.eval, answer) for each in predicted_distributions(request)]


def _answer(predicted: Distribution, options: PriceEval, answer: Answer) -> dict[str, Any]:
    distribution, unit = predicted.probabilities, answer.unit
    fields: dict[str, Any] = {
        "currency": answer.currency,
        "probability_no_price": min(1.0, max(0.0, predicted.outside)),
    }
    if distribution is None or 1 - predicted.outside < options.min_mass:
        return {**fields, **dict.fromkeys(("estimate", "median", "range_50", "range_90"))}

    def central(fraction: float) -> tuple[float, float]:
        tail = (1 - fraction) / 2
        low, high = (distributions.quantile(distribution, each) for each in (tail, 1 - tail))
        return round(low * unit, 2), round(high * unit, 2)

    estimates = distributions.estimates(distribution, options.top_k)
    return {
        **fields,
        "estimate": round(estimates[options.estimate] * unit, 2),
        "median": round(estimates["median"] * unit, 2),
        **{f"range_{percent}": central(percent / 100) for percent in distributions.COVERAGES},
    }


SERVE = Endpoint(
    path="/price",
    title="Estimate a price",
    request=PriceRequest,
    answer=PriceAnswer,
    input="text",
    prediction="estimate",
    example=EXAMPLE,
    row=row,
    answers=answers,
    shown=(
        Shown("median", "Median", "number", unit="currency"),
        Shown("range_50", "50 % range", "range", unit="currency"),
        Shown("range_90", "90 % range", "range", unit="currency"),
        Shown("probability_no_price", "Probability that there is no price", "percent"),
    ),
)
