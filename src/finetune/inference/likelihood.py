"""Negative log-likelihood of references under a model, from which perplexity is computed."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from finetune.inference.kv_cache import CachedBatch


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
