"""Prefill of prompts in batches; the prefix that all prompts share is prefilled once."""

import itertools
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from finetune.inference.kv_cache import (
    CachedBatch,
    has_full_attention,
    num_virtual_tokens,
    prefill,
)
from finetune.modeling.attention import accepts_argument
from finetune.modeling.batches import pad_left


class Prefiller:
    """Prefills batches of prompts from one KV cache of their common prefix.

    prefix_length: tokens of the prefix (instruction, few-shot examples); 0 where it is not shared.
    columns_before: columns of the cache before each prompt's own tokens, those of a trained prefix
        included.
    """

    def __init__(self, model: PreTrainedModel, prompts: Sequence[list[int]], pad_id: int) -> None:
        """Prefill the common prefix of all prompts, which are token ids.

        Raises:
            ModelError: the model's cache is not one of keys and values in each layer.
        """
        self.model, self.prompts, self.pad_id = model, prompts, pad_id
        # Each prompt keeps at least one token behind the prefix, for the logits of the next one.
        length = min(_common_prefix_length(prompts), min(map(len, prompts)) - 1)
        is_shared = has_full_attention(model) and accepts_argument(model, "position_ids")
        self.prefix_length = length if is_shared and len(prompts) > 1 else 0
        self.columns_before = self.prefix_length + num_virtual_tokens(model)
        self.prefix: CachedBatch | None = None
        if self.prefix_length:
            self.prefix = prefill(model, torch.tensor([prompts[0][: self.prefix_length]]))

    @property
    def suffix_lengths(self) -> list[int]:
        """The tokens of each prompt behind the common prefix."""
        return [len(prompt) - self.prefix_length for prompt in self.prompts]

    def prefill(self, indices: Sequence[int], extra_columns: int) -> CachedBatch:
        """The prompts at these indices as a batch with `extra_columns` reserved for decoding."""
        suffixes = [self.prompts[i][self.prefix_length :] for i in indices]
        ids, mask = pad_left(suffixes, self.pad_id)
        if self.prefix is None:
            return prefill(self.model, ids, mask, extra_columns)
        batch = self.prefix.select_rows([0] * len(indices), ids.shape[1] + extra_columns)
        batch.extend(ids, mask)
        return batch


def _common_prefix_length(sequences: Sequence[list[int]]) -> int:
    """The length of the longest common prefix: that of the first and the last in sorted order."""
    first, last = min(sequences), max(sequences)
    same = (one == other for one, other in zip(first, last, strict=False))
    return sum(itertools.takewhile(bool, same))
