"""A model's predictions for the rows of a task: one code path for the base and the tuned model."""

import logging
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel

from finetune.inference import prices
from finetune.inference.generate import Generated, generate
from finetune.modeling.base import Base
from finetune.modeling.price_tokens import price_tokens
from finetune.modeling.prompts import Encoded, PromptEncoder
from finetune.params import PriceEval, PriceScore, Prompt, SummaryEval, SummaryScore
from finetune.tasks import price, scores
from finetune.tasks.kinds import kind

Row = dict[str, Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ask:
    """What is asked of a model: the parts of a task's parameters that a prediction depends on."""

    kind: str
    prompt: Prompt
    eval: SummaryEval | PriceEval
    score: SummaryScore | PriceScore

    @property
    def protocol(self) -> dict[str, Any]:
        """What a score cannot be compared without."""
        return {**self.eval.model_dump(), **self.score.model_dump()}


def predict(
    base: Base,
    model: PreTrainedModel,
    ask: Ask,
    rows: Sequence[Row],
    train: Sequence[Row],
    what: str,
) -> list[Row]:
    """Scored predictions for `rows`, in their order; see `finetune.tasks.scores`.

    `model` is the base's own or that with an adapter on. `train` gives the constant that stands in
    for a price that cannot be parsed. `what` names the work in the progress bar.
    """
    encoder = PromptEncoder(base.tokenizer, ask.prompt, base.context)
    prompts = [encoder.encode(kind(ask.kind).body(row)) for row in rows]
    if ask.kind == "summarization":
        predictions = _summaries(base, model, ask, rows, prompts, what)
    else:
        predictions = _prices(base, model, ask, rows, train, prompts, what)
    for prediction, prompt in zip(predictions, prompts, strict=True):
        prediction["prompt_truncated"] = prompt.truncated
    return predictions


def _summaries(
    base: Base,
    model: PreTrainedModel,
    ask: Ask,
    rows: Sequence[Row],
    prompts: Sequence[Encoded],
    what: str,
) -> list[Row]:
    answers = _generate(base, model, ask, prompts, what)
    scored = scores.score_summaries(rows, [answer.text for answer in answers], ask.score)
    for row, answer in zip(scored, answers, strict=True):
        row |= {"hit_length_cap": answer.hit_length_cap, "empty": not answer.text}
    return scored


def _prices(
    base: Base,
    model: PreTrainedModel,
    ask: Ask,
    rows: Sequence[Row],
    train: Sequence[Row],
    prompts: Sequence[Encoded],
    what: str,
) -> list[Row]:
    tokens = price_tokens(base.tokenizer)
    if tokens is not None:
        estimate = prices.ESTIMATES[ask.eval.estimate]
        found = prices.distributions(
            model,
            [prompt.ids for prompt in prompts],
            tokens,
            ask.eval.batch_size,
            base.tokenizer.pad_token_id,
            what,
        )
        return scores.score_prices(rows, map(estimate, found), ask.score)

    log.warning(
        "This tokenizer splits numbers, so a price is not one token: prices are generated greedily "
        "and parsed, and eval.estimate has no say."
    )
    answers = [price.parse(answer.text) for answer in _generate(base, model, ask, prompts, what)]
    # What cannot be parsed counts as the best constant, and is counted: neither free nor ruinous.
    constant = statistics.median(row["price"] for row in train)
    filled = [constant if answer is None else answer for answer in answers]
    scored = scores.score_prices(rows, filled, ask.score)
    for row, answer in zip(scored, answers, strict=True):
        row["unparsable"] = answer is None
    return scored


def _generate(
    base: Base,
    model: PreTrainedModel,
    ask: Ask,
    prompts: Sequence[Encoded],
    what: str,
) -> list[Generated]:
    return generate(
        model,
        base.tokenizer,
        [prompt.ids for prompt in prompts],
        ask.eval.batch_size,
        ask.prompt.max_completion_tokens,
        what,
    )
