"""Parameters of a task whose answer is a price."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from finetune.core import schema
from finetune.core.schema import Count, Prompt, RowFields

# The largest number that is one token in Llama 3's tokenizer, as all below it are.
MAXIMUM = 999


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


class Task(schema.Task):
    """A data set of descriptions with a price."""

    fields = RowFields("text", frozenset({"text", "price"}), optional=frozenset({"category"}))
    has_numbers = True

    prompt: PricePrompt
    train: PriceTrain
    eval: PriceEval
    score: PriceScore
