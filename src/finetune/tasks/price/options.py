"""Parameters of a task whose answer is a price."""

import itertools
import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from finetune.core import schema
from finetune.core.schema import Bounds, Count, Prompt, RowFields

# The largest number that is one token in Llama 3's tokenizer, as all below it are.
MAXIMUM = 999
Weight = Annotated[float, Field(ge=0)]


def _has_tokens(maximum: int) -> int:
    if maximum > MAXIMUM:
        raise ValueError(
            f"is {maximum}, must be {MAXIMUM} at most, as tokenizers that have numbers as tokens "
            f"go no further; raise unit instead: with unit 100 prices reach {100 * MAXIMUM:,}"
        )
    return maximum


class Answer(schema.Section):
    """What is answered of a price: how many of `unit` it is, a whole number up to `maximum`.

    `currency` is that of the data's prices, predictions and scores. Prices above `maximum` units
    are taught as `maximum`, and counted.
    """

    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{1,8}$")] = "USD"
    unit: Annotated[float, Field(ge=0.01, le=1e6)] = 1
    maximum: Annotated[int, Field(ge=9), AfterValidator(_has_tokens)] = MAXIMUM


class PricePrompt(schema.Prompt):
    """The prompt, and the whole numbers that answer it."""

    answer: Answer = Answer()


def answer_to(prompt: Prompt) -> Answer:
    """What a prompt asks for; the defaults for one without options of this kind."""
    return prompt.answer if isinstance(prompt, PricePrompt) else Answer()


class PriceTrain(schema.Train):
    """The optimization, with the weight and form of the expected error in the loss; see `loss.py`.

    The form matters where a tokenizer splits prices; with `auto` there is no such error there.
    """

    number_loss: Annotated[float, Field(ge=0, le=1e6)]
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
    """What counts as a hit: an error of `hit_within`, in the currency, or of a fraction."""

    hit_within: Annotated[float, Field(gt=0)]
    hit_fraction: Annotated[float, Field(gt=0)]


class Band(schema.Section):
    """The weight of rows with prices up to `up_to`, from the band before on; null for no end."""

    up_to: Annotated[float, Field(gt=0)] | None
    weight: Weight


class Weights(schema.Section):
    """How likely rows are to be drawn: the weight of their category times that of their price.

    What is not named weighs 1.
    """

    category: dict[str, Weight] = Field(default_factory=dict)
    price: list[Band] = Field(default_factory=list)

    @model_validator(mode="after")
    def _bands_ascend(self) -> Self:
        ends = [math.inf if band.up_to is None else band.up_to for band in self.price]
        if any(end <= before for before, end in itertools.pairwise(ends)):
            raise ValueError("price: bands must be in the order of up_to, each higher than before")
        return self


class PriceCurate(schema.Curate):
    """Which products are taken: by price, in the currency of the data, and by category.

    `weights` are of the rows that `sizes` draws.
    """

    price: Bounds = Bounds()
    categories: Annotated[list[str], Field(min_length=1)] | None = None
    weights: Weights | None = None

    @model_validator(mode="after")
    def _weights_are_used(self) -> Self:
        if self.weights and not any(self.sizes.model_dump().values()):
            raise ValueError("weights: draw the rows of sizes, of which none is set")
        return self

    def broken_rule(self, row: Any) -> str | None:
        """`price` or `category`, where it is not one of those that are taken."""
        if not self.price.hold(row.price):
            return "price"
        if self.categories is not None and row.category not in self.categories:
            return "category"
        return None

    def weight(self, row: Any) -> float:
        """The weight of its category times that of its price band."""
        if self.weights is None:
            return 1.0
        bands = self.weights.price
        of_price = (band.weight for band in bands if band.up_to is None or row.price <= band.up_to)
        return self.weights.category.get(row.category or "", 1.0) * next(of_price, 1.0)


class PriceSource(schema.TaskSource):
    """Where products come from, and which are taken."""

    curate: PriceCurate | None = None


class Task(schema.Task):
    """A data set of descriptions with a price."""

    fields = RowFields(
        "text",
        frozenset({"text", "price"}),
        optional=frozenset({"category"}),
        joined=frozenset({"text"}),
    )
    has_numbers = True

    source: PriceSource
    prompt: PricePrompt
    train: PriceTrain
    eval: PriceEval
    score: PriceScore
