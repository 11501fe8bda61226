"""Negative log-likelihood of references under a model, from which perplexity is computed."""

from collections.abc import Sequence

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from finetune.inference.budgets import Budgets
from finetune.inference.kv_cache import CachedBatch
from finetune.inference.prefill import Prefiller
from finetune.modeling.batches import in_batches


def likelihoods(
    model: PreTrainedModel,
    contexts: Sequence[list[int]],
    completions: Sequence[list[int]],
    budgets: Budgets,
    what: str,
) -> list[float]:
    """-log p(completion | context) of each pair in nats, in their order; nothing is decoded."""
    # No padding is read: it is masked, so any token will do.
    prefiller = Prefiller(model, contexts, 0, budgets)

    @torch.inference_mode()
    def process(indices: list[int]) -> list[float]:
        order = sorted(indices, key=lambda i: -len(completions[i]))
        scored = [completions[i] for i in order]
        batch = prefiller.prefill(order, extra_columns=len(scored[0]))
        nlls = negative_log_likelihoods(batch, scored, budgets.max_logit_tokens(model))
        by_index = dict(zip(order, nlls, strict=True))
        return [by_index[i] for i in indices]

    lengths = [len(one) + len(other) for one, other in zip(contexts, completions, strict=True)]
    # Contexts and completions are padded apart, to at most twice the columns of the longest.
    return in_batches(lengths, prefiller.max_rows(0, copies=2), what, process)


@torch.inference_mode()
def negative_log_likelihoods(
    batch: CachedBatch, completions: Sequence[list[int]], token_budget: int
) -> list[float]:
    """-log p(completion | prompt) of each row in nats, summed over the completion's tokens.

    The completions are appended to slices of the prompts' KV cache, in the columns reserved for
    decoding, with at most `token_budget` tokens at once, padding included; padding is least where
    they are sorted by length, the longest first. The batch itself is not changed.
    """
    lengths = list(map(len, completions))
    nlls: list[float] = []
    while len(nlls) < len(completions):
        start = len(nlls)
        stop = start + max(1, token_budget // max(lengths[start:]))
        nlls += _of_slice(batch.slice_rows(start, stop), completions[start:stop])
    return nlls


def _of_slice(rows: CachedBatch, completions: Sequence[list[int]]) -> list[float]:
    first = rows.logits[:, None]
    later = first[:, :0]
    columns = max(map(len, completions)) - 1
    if columns:
        # Padded on the right, behind what they predict; each column predicts the next token.
        ids = [completion[:-1] for completion in completions]
        mask = torch.tensor([[1] * len(row) + [0] * (columns - len(row)) for row in ids])
        padded = torch.tensor([row + [0] * (columns - len(row)) for row in ids])
        later = rows.extend(padded, mask, num_logits=columns)
    # One row at a time from here on: in float32 all at once would be the largest tensor.
    return [
        functional.cross_entropy(
            torch.cat([first[row], later[row, : len(completion) - 1]]).float(),
            torch.tensor(completion, device=first.device),
            reduction="sum",
        ).item()
        for row, completion in enumerate(completions)
    ]
