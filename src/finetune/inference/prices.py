"""The predicted distribution over prices at the answer's position, and point estimates from it."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from finetune.inference.batches import in_batches, positions


def distributions(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    tokens: list[int],
    batch_size: int,
    pad_id: int,
    what: str,
) -> list[torch.Tensor]:
    """For each prompt the probabilities of the prices 0…999 (1000,), normalized over them.

    One forward pass a prompt: the next token after the prompt is the whole price.
    """
    columns = torch.tensor(tokens, device=model.device)

    @torch.inference_mode()
    def answer(ids: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        mask = mask.to(model.device)
        logits = model(
            input_ids=ids.to(model.device),
            attention_mask=mask,
            position_ids=positions(mask),
            logits_to_keep=1,
            use_cache=False,
        ).logits[:, -1, columns]
        return list(logits.float().softmax(-1).cpu())

    return in_batches(prompts, batch_size, pad_id, what, answer)


def median(distribution: torch.Tensor) -> float:
    """The smallest price with half of the mass at or below it: minimizes expected |error|."""
    cumulated = distribution.double().cumsum(0)
    return float(torch.searchsorted(cumulated, 0.5 * cumulated[-1]))


def greedy(distribution: torch.Tensor) -> float:
    """The likeliest price."""
    return float(distribution.argmax())


ESTIMATES = {"median": median, "greedy": greedy}
