"""Prefill of prompts in batches; the prefix that all prompts share is prefilled once."""

import itertools
from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedModel

from finetune.inference.budgets import Budgets
from finetune.inference.kv_cache import (
    CachedBatch,
    has_full_attention,
    num_virtual_tokens,
    prefill,
)
from finetune.modeling.attention import accepts_argument
from finetune.modeling.batches import batches, pad_left, within_budget


class Prefiller:
    """Prefills batches of prompts from one KV cache of their common prefix.

    A batch is prefilled in parts of `budgets.pass_tokens`, and may then hold as many rows as decode
    together; with a sliding window, at once.

    prefix_length: tokens of the prefix (instruction, few-shot examples); 0 where it is not shared.
    columns_before: columns of the cache before each prompt's own tokens, those of a trained prefix
        included.
    """

    def __init__(
        self, model: PreTrainedModel, prompts: Sequence[list[int]], pad_id: int, budgets: Budgets
    ) -> None:
        """Prefill the common prefix of all prompts, which are token ids.

        Raises:
            ModelError: the model's cache is not one of keys and values in each layer.
        """
        self.model, self.prompts, self.pad_id, self.budgets = model, prompts, pad_id, budgets
        self.in_parts = has_full_attention(model)
        # Each prompt keeps at least one token behind the prefix, for the logits of the next one.
        length = min(_common_prefix_length(prompts), min(map(len, prompts)) - 1)
        is_shared = self.in_parts and accepts_argument(model, "position_ids")
        self.prefix_length = length if is_shared and len(prompts) > 1 else 0
        self.columns_before = self.prefix_length + num_virtual_tokens(model)
        self.prefix: CachedBatch | None = None
        if self.prefix_length:
            self.prefix = prefill(model, torch.tensor([prompts[0][: self.prefix_length]]))

    @property
    def suffix_lengths(self) -> list[int]:
        """The tokens of each prompt behind the common prefix."""
        return [len(prompt) - self.prefix_length for prompt in self.prompts]

    def max_rows(self, extra_columns: int, copies: int = 1) -> Callable[[int], int]:
        """How many rows a batch may have, as a function of its longest suffix.

        `extra_columns` come behind the prompts; each row has so many `copies` in the cache.
        """
        columns = self.columns_before + extra_columns
        if not self.in_parts:
            return self.budgets.max_rows(self.model, columns, copies)
        return lambda longest: self.budgets.max_cached_rows(self.model, longest + columns, copies)

    def prefill(self, indices: Sequence[int], extra_columns: int) -> CachedBatch:
        """The prompts at these indices as a batch with `extra_columns` reserved for decoding."""
        suffixes = [self.prompts[i][self.prefix_length :] for i in indices]
        parts = [list(range(len(suffixes)))]
        if self.in_parts:
            budget = within_budget(self.budgets.pass_tokens(self.model))
            parts = list(batches([*map(len, suffixes)], budget))
        if len(parts) == 1:
            return self._at_once(suffixes, extra_columns)
        whole: CachedBatch | None = None
        for part in parts:  # the longest first: no later one has more columns
            done = self._at_once([suffixes[row] for row in part], extra_columns=0)
            whole = whole or done.blank(len(suffixes), extra_columns)
            whole.put_rows(part, done)
        assert whole is not None
        return whole

    def _at_once(self, suffixes: Sequence[list[int]], extra_columns: int) -> CachedBatch:
        ids, mask = pad_left(suffixes, self.pad_id)
        if self.prefix is None:
            return prefill(self.model, ids, mask, extra_columns)
        batch = self.prefix.select_rows([0] * len(suffixes), ids.shape[1] + extra_columns)
        batch.extend(ids, mask)
        return batch


def _common_prefix_length(sequences: Sequence[list[int]]) -> int:
    """The length of the longest common prefix: that of the first and the last in sorted order."""
    first, last = min(sequences), max(sequences)
    same = (one == other for one, other in zip(first, last, strict=False))
    return sum(itertools.takewhile(bool, same))
