"""Whether the likeliest choice is but the beginning of a longer number: 129 of 1299, 1 of 1,299."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from finetune.inference.kv_cache import CachedBatch
from finetune.modeling.batches import pad_left

# A token as the tokenizer keeps it, where a blank before it is a sign of its own (Ġ, ▁): no longer
# number begins with one. A period is none either: cents do not make a price longer.
MORE = re.compile(r",?[0-9]")
# Less mass on a comma is not followed: it cannot make a continuation likely.
LEAST_COMMA = 0.01


@dataclass(frozen=True)
class LongerNumbers:
    """Ids of tokens that continue a number: `more` by a digit or comma and digit, `comma` by it.

    After a comma alone it takes a digit to know.
    """

    more: tuple[int, ...]
    comma: int | None


def longer_numbers(tokenizer: PreTrainedTokenizerBase) -> LongerNumbers:
    """The tokens of a tokenizer's vocabulary, by their strings."""
    vocabulary = tokenizer.get_vocab()
    more = sorted(place for token, place in vocabulary.items() if MORE.match(token))
    return LongerNumbers(tuple(more), vocabulary.get(","))


def continuation(
    batch: CachedBatch,
    paths: Sequence[tuple[int, ...]],
    choices: Sequence[Sequence[int]],
    longer: LongerNumbers,
    pad_id: int,
) -> np.ndarray:
    """The probability (rows,) that a longer number follows each row's path, if no choice does.

    A decode step of the path's tokens, and one of a comma where some row may have one. The batch is
    used up: columns are appended to it, padded where paths differ in length.

    Args:
        batch: prompts, with columns reserved for the longest path and a comma.
        paths: of each row the tokens after its prompt.
        choices: of each row the tokens with which its path leads to another choice, whose mass is
            that choice's.
        longer: tokens that make a number longer.
        pad_id: any token.
    """
    ids, mask = pad_left([list(path) for path in paths], pad_id)
    batch.extend(ids, mask)
    following = _probabilities(batch.logits)
    for row, tokens in zip(following, choices, strict=True):
        row[list(tokens)] = 0.0
    left = following.sum(-1)
    longer_mass = following[:, list(longer.more)].sum(-1)
    if longer.comma is not None:
        commas = following[:, longer.comma]
        if (commas > LEAST_COMMA).any():
            batch.extend(torch.full((len(paths), 1), longer.comma))
            digits = _probabilities(batch.logits)[:, list(longer.more)].sum(-1)
            longer_mass = longer_mass + torch.where(commas > LEAST_COMMA, commas * digits, 0.0)
    fractions = torch.where(left > 0, longer_mass / left, 0.0).nan_to_num()
    return fractions.clamp(0, 1).cpu().double().numpy()


def _probabilities(logits: torch.Tensor) -> torch.Tensor:
    return logits.float().softmax(-1)
