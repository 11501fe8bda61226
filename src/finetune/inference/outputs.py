"""The outputs of a model's last layer after each prompt, for heads that write no text."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from finetune.inference.budgets import Budgets
from finetune.inference.prefill import Prefiller
from finetune.modeling.batches import in_batches


def last_outputs(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    budgets: Budgets,
    pad_id: int,
    what: str,
) -> list[tuple[float, ...]]:
    """The outputs of the last layer after each prompt, which are token ids; a tuple for each."""
    prefiller = Prefiller(model, prompts, pad_id, budgets)

    @torch.inference_mode()
    def answer(chosen: list[int]) -> list[tuple[float, ...]]:
        batch = prefiller.prefill(chosen, extra_columns=0)
        return [tuple(row) for row in batch.logits.double().tolist()]

    return in_batches(prefiller.suffix_lengths, prefiller.max_rows(0), what, answer)
