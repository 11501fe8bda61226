"""How a model is asked for prices: by its distribution over the numbers of `prompt.answer`.

The numbers count units; estimates and scores are in the currency again. A distribution is that of
answers which begin with a price. The likeliest price may be no more than the beginning of a longer
number, of 1299 or of 1,299: such rows are flagged (`continues`).
"""

import functools
import math
import statistics
from collections.abc import Sequence

import numpy as np

from finetune.core.rows_file import statistic
from finetune.core.text import amount_in
from finetune.inference import distributions
from finetune.inference.choices import Distribution
from finetune.inference.continuations import LongerNumbers, longer_numbers
from finetune.inference.predict import Prediction, Request
from finetune.inference.written import TextRequest, flags
from finetune.modeling import number_head
from finetune.modeling.choice_tree import Tree, choice_tree
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.price.options import MAXIMUM, Answer, PriceEval, answer_to
from finetune.tasks.price.rows import MAX_PRICE, Row, marks_of, nearest

# The probability of more digits from which on the likeliest price is the beginning of a number.
CONTINUES = 0.5


def answers(request: Request[Row, PriceEval]) -> list[Prediction]:
    """The point estimate that `eval.estimate` names, and how good the distribution is."""
    predicted = predicted_distributions(request)
    constant = statistic(request.train, median_price)
    return [
        _answer(row, distribution, constant, request.eval, answer_to(request.encoder.prompt))
        for row, distribution in zip(request.rows, predicted, strict=True)
    ]


def median_price(rows: Sequence[Row]) -> float:
    """The best constant by absolute error."""
    return statistics.median(row.price for row in rows)


def predicted_distributions(request: Request[Row, PriceEval]) -> list[Distribution]:
    """Of each row the distribution over prices, by the model's head if it has one."""
    with number_head.answering(request.model) as has_head:
        return _from_head(request) if has_head else _from_tokens(request)


def _from_tokens(request: Request[Row, PriceEval]) -> list[Distribution]:
    """The distributions of a model that writes prices."""
    tree, longer = _numbers(request.encoder)
    return request.engine.distributions(
        request.model,
        [prompt.ids for prompt in request.prompts],
        tree,
        request.eval.prune_below,
        request.budgets,
        request.base.tokenizer.pad_token_id,
        request.what,
        longer,
    )


@functools.lru_cache(maxsize=4)
def _numbers(encoder: PromptEncoder) -> tuple[Tree, LongerNumbers]:
    """The tokens of all prices, and those that make a price a longer number.

    Kept: they take longer than the answer to a row, and a server answers few rows at a time.
    """
    numbers = range(answer_to(encoder.prompt).maximum + 1)
    tree = choice_tree(encoder, [str(number) for number in numbers], "price")
    return tree, longer_numbers(encoder.tokenizer)


def _from_head(request: Request[Row, PriceEval]) -> list[Distribution]:
    """The distributions of a model with a number head: it puts no mass on what is no price."""
    outputs = request.engine.last_outputs(
        request.model,
        [prompt.ids for prompt in request.prompts],
        request.budgets,
        request.base.tokenizer.pad_token_id,
        request.what,
    )
    count = answer_to(request.encoder.prompt).maximum + 1
    return [_of_laplace(location, log_scale, count) for location, log_scale in outputs]


def _of_laplace(location: float, log_scale: float, count: int) -> Distribution:
    if not (math.isfinite(location) and math.isfinite(log_scale)):
        return Distribution(None, outside=1.0, mass=0.0)
    probabilities = distributions.laplace(location, log_scale, count)
    return Distribution(probabilities, outside=0.0, mass=1.0)


def _answer(
    row: Row, predicted: Distribution, constant: float, options: PriceEval, answer: Answer
) -> Prediction:
    """What a predicted distribution comes to, beside the true price.

    All in the currency; `constant` stands in for an answer that there is none of.
    """
    distribution, unit = predicted.probabilities, answer.unit
    repeated = distributions.repeated(distribution, predicted.outside)
    true = row.price / unit, nearest(row.price, answer)
    # Of a row without an answer too: here not to answer costs what any mass on no price does.
    charged = unit * distributions.crps_charged(
        np.zeros(answer.maximum + 1) if distribution is None else distribution,
        predicted.outside,
        true[0],
    )
    is_unparsable = distribution is None or 1 - predicted.outside < options.min_mass
    if distribution is None or is_unparsable:
        # There is no prediction. It counts as the best constant, and is counted: neither free nor
        # ruinous. Its CRPS and ranges are those of all mass on that constant.
        estimates = dict.fromkeys(distributions.ESTIMATES, constant)
        distribution = np.zeros(answer.maximum + 1)
        distribution[nearest(constant, answer)] = 1.0
        quality = distributions.quality(distribution, *true, unit)
        quality["crps"] = round(abs(constant - row.price), 4)
    else:
        estimates = {
            name: unit * number
            for name, number in distributions.estimates(distribution, options.top_k).items()
        }
        quality = distributions.quality(distribution, *true, unit)
    rounded = {name: round(float(estimate), 2) for name, estimate in estimates.items()}
    # Two runs' charged errors compare only where the worst price is the same.
    highest = round(unit * answer.maximum, 4)
    return {
        "id": row.id,
        "prediction": rounded[options.estimate],
        "reference": row.price,
        "category": row.category,
        "estimates": rounded,
        **quality,
        "crps_charged": round(charged, 4),
        **({} if highest == MAXIMUM else {"highest": highest}),
        "outside": round(100 * predicted.outside, 4),
        "sampled_agreement": round(100 * repeated, 4),
        "continuation": round(100 * predicted.continuation, 4),
        "continues": predicted.continuation > CONTINUES,
        "unparsable": is_unparsable,
    }


def from_texts(request: TextRequest[Row, PriceEval]) -> list[Prediction]:
    """The prices in the texts of a model that gives no distribution.

    Columns that rest on one are left out, and so are the scores that need them.
    """
    constant = statistic(request.train, median_price)
    unit, marks = answer_to(request.prompt).unit, marks_of(request.prompt)
    predictions: list[Prediction] = []
    for row, answer in zip(request.rows, request.greedy(), strict=True):
        units = amount_in(answer.text, marks)
        # Where there is no price the best constant stands in, and the row is counted.
        is_unparsable = units is None or unit * units > MAX_PRICE
        price = constant if units is None or is_unparsable else unit * units
        predictions.append(
            {
                "id": row.id,
                "prediction": round(price, 2),
                "reference": row.price,
                "category": row.category,
                "answer": answer.text,
                **flags(answer),
                "unparsable": is_unparsable,
            }
        )
    return predictions
