"""How surprised a model is by the references: what their perplexity is made of."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from finetune.inference.batches import in_batches
from finetune.inference.reading import Reader

# Logits held at once, 1 GB of float32: a vocabulary is wide, and a batch has many tokens.
LOGITS = 2**28


def surprise(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    completions: Sequence[list[int]],
    batch_size: int,
    pad_id: int,
    what: str,
) -> list[float]:
    """-log p(completion | prompt) of each row in nats, summed over the completion's tokens."""
    reader = Reader(model, prompts, pad_id)
    longest = max(map(len, completions))
    vocabulary = model.config.get_text_config().vocab_size
    batch_size = max(1, min(batch_size, LOGITS // ((longest + 1) * vocabulary)))

    @torch.inference_mode()
    def answer(chosen: list[int]) -> list[float]:
        targets = [completions[i] for i in chosen]
        # One row at a time from here on: in float32 all at once would be the largest tensor.
        return [
            torch.nn.functional.cross_entropy(
                # The last column's logits are those of the token after the completion.
                logits[-len(target) - 1 : -1].float(),
                torch.tensor(target, device=logits.device),
                reduction="sum",
            ).item()
            for logits, target in zip(reader.read(chosen, 0, targets).logits, targets, strict=True)
        ]

    lengths = [n + len(done) for n, done in zip(reader.lengths, completions, strict=True)]
    return in_batches(lengths, batch_size, what, answer)
