"""The negative log-likelihood of references under a model: what their perplexity is made of."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from finetune.inference.reading import Reading


@torch.inference_mode()
def negative_log_likelihoods(
    reading: Reading, completions: Sequence[list[int]], token_budget: int
) -> list[float]:
    """-log p(completion | prompt) of each row in nats, summed over the completion's tokens.

    The completions are read after the prompts' keys and values, in the room that there is for
    decoding, at most `token_budget` of them at once, padding included: there is the least of it
    where they are sorted by length, the longest first. The reading stays as it was.
    """
    lengths = list(map(len, completions))
    nlls: list[float] = []
    while len(nlls) < len(completions):
        start = len(nlls)
        stop = start + max(1, token_budget // max(lengths[start:]))
        nlls += _of_part(reading.part(start, stop), completions[start:stop])
    return nlls


def _of_part(part: Reading, completions: Sequence[list[int]]) -> list[float]:
    first, later = part.logits[:, None], part.logits[:, None][:, :0]
    columns = max(map(len, completions)) - 1
    if columns:
        # Padded on the right, behind what they predict; each column predicts the next token.
        ids = [completion[:-1] for completion in completions]
        mask = torch.tensor([[1] * len(row) + [0] * (columns - len(row)) for row in ids])
        padded = torch.tensor([row + [0] * (columns - len(row)) for row in ids])
        part.read(padded, mask, logits=columns)
        later = part.logits.view(len(completions), columns, -1)
    # One row at a time from here on: in float32 all at once would be the largest tensor.
    return [
        functional.cross_entropy(
            torch.cat([first[row], later[row, : len(completion) - 1]]).float(),
            torch.tensor(completion, device=first.device),
            reduction="sum",
        ).item()
        for row, completion in enumerate(completions)
    ]
