"""Negative log-likelihood of general text under a model, with the bytes that it is divided by.

Bits per byte compare between models whose tokenizers divide a text differently, which nats per
token do not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.core.errors import ModelError
from finetune.forgetting.texts import Item
from finetune.inference.budgets import Budgets
from finetune.inference.engines import registry as engines
from finetune.inference.engines.registry import Engine
from finetune.modeling import precision
from finetune.modeling.base import Base

Row = dict[str, Any]


@dataclass(frozen=True)
class Encoded:
    """Token ids of an item: those that are conditioned on, at least one, and those scored.

    num_bytes: UTF-8 bytes of the scored tokens' text; truncated: it did not fit the context.
    """

    context: list[int]
    scored: list[int]
    num_bytes: int
    truncated: bool


def rows(
    base: Base,
    model: PreTrainedModel,
    items: Sequence[Item],
    budgets: Budgets,
    what: str,
    engine: Engine = engines.OURS,
) -> list[Row]:
    """For each item `id`, `part`, `nll` in nats over `tokens` and `bytes`, and `truncated`.

    `model` is the base's own or that with the adapter attached; `what` and the part name the work
    in the progress bar. Texts are given as they are, without a chat template.

    Raises:
        ModelError: the model gives
            a text no finite likelihood.
    """
    rows: dict[str, Row] = {}
    with engine.prepared(model), precision.autocast(model, base.dtype):
        # Part by part: long paragraphs after nothing and short answers after prompts would be
        # padded to one another.
        for part in dict.fromkeys(item.part for item in items):
            chosen = [item for item in items if item.part == part]
            encoded = [encode(base.tokenizer, item, base.context) for item in chosen]
            nlls = engine.likelihoods(
                model,
                [of.context for of in encoded],
                [of.scored for of in encoded],
                budgets,
                f"{what} {part}",
            )
            if not all(map(math.isfinite, nlls)):
                raise ModelError(
                    f"{what} {part}: the model gives general text no finite likelihood; its "
                    "outputs overflow, or training diverged (method.compute_dtype=float32, or a "
                    "lower learning rate)"
                )
            rows |= {
                item.id: {
                    "id": item.id,
                    "part": part,
                    "nll": round(nll, 4),
                    "tokens": len(of.scored),
                    "bytes": of.num_bytes,
                    "truncated": of.truncated,
                }
                for item, of, nll in zip(chosen, encoded, nlls, strict=True)
            }
    return [rows[item.id] for item in items]


def encode(tokenizer: PreTrainedTokenizerBase, item: Item, max_tokens: int) -> Encoded:
    """The ids of an item, of which no more than `max_tokens` are kept.

    Prompt and text are encoded as one. They follow the tokenizer's BOS token; where it has none,
    the first token of a text without a prompt is not scored, since nothing stands before it. A
    token across the end of the prompt is scored, and its bytes count. Of what is too long the end
    of the text is truncated, or the beginning of the prompt.

    """
    text = item.prompt + item.text
    tokenized = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    ids, ends = tokenized["input_ids"], [end for _, end in tokenized["offset_mapping"]]
    bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    unscored = sum(end <= len(item.prompt) for end in ends)
    if not bos and not unscored:
        unscored = 1
    kept = min(len(ids) - unscored, max_tokens - 1)
    start = ends[unscored - 1] if unscored else 0
    before = [*bos, *ids[:unscored]]
    context = before[-(max_tokens - kept) :]
    return Encoded(
        context=context,
        scored=ids[unscored : unscored + kept],
        num_bytes=len(text[start : ends[unscored + kept - 1]].encode()),
        truncated=kept < len(ids) - unscored or len(context) < len(before),
    )
