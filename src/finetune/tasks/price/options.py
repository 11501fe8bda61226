"""Parameters of a task whose answer is a price in USD."""

from typing import Annotated, Literal

from pydantic import Field

from finetune.core import schema
from finetune.core.schema import Count, RowFields


class PriceTrain(schema.Train):
    """The optimization, with the weight and form of the expected error in the loss; see `loss.py`.

    The form matters where a tokenizer splits prices; with `auto` there is no such error there.
    """

    number_loss: Annotated[float, Field(ge=0)]
    number_loss_form: Literal["auto", "digits", "prices"] = "auto"


class PriceEval(schema.Eval):
    """How the model is asked for a price: the point `estimate` of its distribution over prices.

    `top_k` belongs to `top_k_mean`; paths of digits less likely than `prune_below` are not
    followed. With less than `min_mass` of the probability on prices, a row has no answer.
    """

    estimate: Literal["greedy", "top_k_mean", "median"]
    top_k: Count
    prune_below: Annotated[float, Field(ge=0, lt=0.1)]
    min_mass: Annotated[float, Field(ge=0, le=1)]


class PriceScore(schema.Score):
    """What counts as a hit."""

    hit_usd: Annotated[float, Field(gt=0)]
    hit_fraction: Annotated[float, Field(gt=0)]


class Task(schema.Task):
    """A data set of descriptions with a price in USD."""

    fields = RowFields("text", frozenset({"text", "price"}), optional=frozenset({"category"}))
    has_numbers = True

    train: PriceTrain
    eval: PriceEval
    score: PriceScore
