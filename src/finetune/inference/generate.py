"""Greedy generation of answers in batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.inference.batches import in_batches


@dataclass(frozen=True)
class Generated:
    """An answer, and whether it was cut by the cap on its length."""

    text: str
    hit_length_cap: bool


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[int]],
    batch_size: int,
    max_new_tokens: int,
    what: str,
) -> list[Generated]:
    """The likeliest continuation of each prompt, token by token, up to an end token."""
    stops = set(model.generation_config.eos_token_id)

    @torch.inference_mode()
    def answer(ids: torch.Tensor, mask: torch.Tensor) -> list[Generated]:
        out = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=max_new_tokens,
        )
        return [_generated(row, tokenizer, stops) for row in out[:, ids.shape[1] :].tolist()]

    return in_batches(prompts, batch_size, tokenizer.pad_token_id, what, answer)


def _generated(ids: list[int], tokenizer: PreTrainedTokenizerBase, stops: set[int]) -> Generated:
    end = next((i for i, token in enumerate(ids) if token in stops), None)
    text = tokenizer.decode(ids[:end], skip_special_tokens=True).strip()
    return Generated(text, hit_length_cap=end is None)
