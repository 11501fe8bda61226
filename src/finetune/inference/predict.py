"""A model's predictions for the rows of a task: one code path for the base and the tuned model."""

import hashlib
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from finetune.core.schema import PriceEval, PriceScore, Prompt, SummaryEval, SummaryScore
from finetune.inference import prices
from finetune.inference.budgets import Budgets
from finetune.inference.generate import Writer, generate
from finetune.inference.merging import merged
from finetune.modeling import precision
from finetune.modeling.base import Base
from finetune.modeling.prompts import Encoded, PromptEncoder, Shot
from finetune.scoring import distributions
from finetune.tasks import price, scores
from finetune.tasks.kinds import kind

Row = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """What is asked of a model: the parts of a task's parameters that a prediction depends on."""

    kind: str
    prompt: Prompt
    eval: SummaryEval | PriceEval
    score: SummaryScore | PriceScore

    def protocol(self, shots: int = 0) -> dict[str, Any]:
        """What a score cannot be compared without, of prompts with so many examples."""
        return {**self.eval.model_dump(), "shots": shots, **self.score.model_dump()}


def predict(
    base: Base,
    model: PreTrainedModel,
    ask: Ask,
    rows: Sequence[Row],
    train: Sequence[Row],
    what: str,
    budgets: Budgets,
    shots: int = 0,
) -> list[Row]:
    """Scored predictions for `rows`, in their order; see `finetune.tasks.scores`.

    `model` is the base's own or that with an adapter on. `train` gives the constant that stands in
    for a price that cannot be told, and with `shots` the examples in the prompts, the same for all
    rows. `what` names the work in the progress bar; `budgets` bound the batches.
    """
    encoder = PromptEncoder(base.tokenizer, ask.prompt, base.context)
    drawn = draw(ask.kind, train, shots, ask.eval.seed)
    examples = [encoder.fitted(shot) for shot in drawn]
    prompts = [encoder.encode(kind(ask.kind).body(row), examples) for row in rows]
    answered = {"summarization": _summaries, "price": _prices}[ask.kind]
    with merged(model), precision.computing(model, base.dtype):
        predictions = answered(base, model, ask, rows, train, encoder, prompts, what, budgets)
    for row, prediction, prompt in zip(rows, predictions, prompts, strict=True):
        # Of the text that was asked about: two runs compare on the same questions only.
        body = kind(ask.kind).body(row)
        prediction["input_hash"] = hashlib.sha256(body.encode()).hexdigest()[:12]
        prediction["prompt_truncated"] = prompt.truncated
        if shots:
            prediction |= {"shots": prompt.shots, "shots_dropped": prompt.shots < len(examples)}
    return predictions


def draw(kind_name: str, train: Sequence[Row], shots: int, seed: int) -> list[Shot]:
    """Examples for few-shot prompts: so many rows of train, or all that there are."""
    chosen = random.Random(seed).sample(train, min(shots, len(train)))
    task = kind(kind_name)
    return [Shot(task.body(row), task.target(row)) for row in chosen]


def _summaries(
    base: Base,
    model: PreTrainedModel,
    ask: Ask,
    rows: Sequence[Row],
    train: Sequence[Row],
    encoder: PromptEncoder,
    prompts: Sequence[Encoded],
    what: str,
    budgets: Budgets,
) -> list[Row]:
    references = [encoder.encode_completion(kind(ask.kind).target(row)) for row in rows]
    answers = generate(
        Writer(model, base.tokenizer, budgets, ask.prompt.max_completion_tokens, what),
        [prompt.ids for prompt in prompts],
        [reference.ids for reference in references],
        ask.eval,
        ask.score.stemmer,
    )
    scored = scores.score_summaries(rows, [answer.text for answer in answers], ask.score)
    for row, answer, reference in zip(scored, answers, references, strict=True):
        row |= {
            "hit_length_cap": answer.hit_length_cap,
            "empty": not answer.text,
            "reference_nll": round(answer.reference_nll, 4),
            "reference_tokens": len(reference.ids),
            "reference_truncated": reference.truncated,
        }
    return scored


def _prices(
    base: Base,
    model: PreTrainedModel,
    ask: Ask,
    rows: Sequence[Row],
    train: Sequence[Row],
    encoder: PromptEncoder,
    prompts: Sequence[Encoded],
    what: str,
    budgets: Budgets,
) -> list[Row]:
    found = prices.distributions(
        model,
        [prompt.ids for prompt in prompts],
        prices.price_tree(encoder),
        ask.eval.floor,
        budgets,
        base.tokenizer.pad_token_id,
        what,
    )
    constant = statistics.median(row["price"] for row in train)
    told = [
        _told(distribution, row["price"], constant, ask.eval)
        for distribution, row in zip(found, rows, strict=True)
    ]
    scored = scores.score_prices(
        rows, [row["estimates"][ask.eval.estimate] for row in told], ask.score
    )
    return [row | more for row, more in zip(scored, told, strict=True)]


def _told(found: prices.Distribution, usd: float, constant: float, options: PriceEval) -> Row:
    """What a predicted distribution comes to, beside the true price."""
    distribution = found.probabilities
    dollars = price.nearest_dollar(usd)
    is_unparsable = distribution is None or 1 - found.outside < options.least_mass
    if is_unparsable:
        # There is no prediction. It counts as the best constant, and is counted: neither free nor
        # ruinous. Its CRPS and ranges are those of all mass on that constant.
        estimates = dict.fromkeys(distributions.ESTIMATES, constant)
        distribution = np.zeros(len(prices.PRICES))
        distribution[price.nearest_dollar(constant)] = 1.0
        quality = distributions.quality(distribution, usd, dollars) | {
            "crps": round(abs(constant - usd), 4)
        }
    else:
        estimates = distributions.estimates(distribution, options.top_k)
        quality = distributions.quality(distribution, usd, dollars)
    return {
        "estimates": {name: round(float(estimate), 2) for name, estimate in estimates.items()},
        **quality,
        "outside": round(100 * found.outside, 4),
        "unparsable": is_unparsable,
    }
