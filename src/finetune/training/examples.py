"""Rows as training examples, their order over the whole run, and batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from finetune.inference.batches import pad_left, positions
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.kinds import Kind

IGNORED = -100  # the label that the loss passes over
# Batches whose rows are sorted among themselves: enough for little padding, few enough that which
# rows meet in a batch stays mostly chance.
SORTED_BATCHES = 16

Example = dict[str, list[int]]


@dataclass(frozen=True)
class Examples:
    """Encoded rows, and how many had to be cut."""

    examples: list[Example]
    prompts_truncated: int
    completions_truncated: int

    def tokens(self) -> dict[str, float]:
        """How long prompts and completions are, on average and at most, as a model reads them."""
        completions = [sum(n != IGNORED for n in each["labels"]) for each in self.examples]
        prompts = [
            len(each["input_ids"]) - completion
            for each, completion in zip(self.examples, completions, strict=True)
        ]
        return {
            "prompt_tokens_mean": round(float(np.mean(prompts)), 1),
            "prompt_tokens_max": max(prompts),
            "completion_tokens_mean": round(float(np.mean(completions)), 1),
            "completion_tokens_max": max(completions),
        }


def encode(rows: Sequence[dict[str, Any]], kind: Kind, encoder: PromptEncoder) -> Examples:
    """Prompt and completion of each row as ids; the loss falls on the completion only."""
    prompts = [encoder.encode(kind.body(row)) for row in rows]
    completions = [encoder.encode_completion(kind.target(row)) for row in rows]
    return Examples(
        [
            {
                "input_ids": [*prompt.ids, *completion.ids],
                "labels": [IGNORED] * len(prompt.ids) + completion.ids,
            }
            for prompt, completion in zip(prompts, completions, strict=True)
        ],
        prompts_truncated=sum(prompt.truncated for prompt in prompts),
        completions_truncated=sum(completion.truncated for completion in completions),
    )


def order(lengths: Sequence[int], rows: int, batch_size: int, seed: int) -> list[int]:
    """Which example comes when, for `rows` examples in all: every epoch shuffled anew.

    Fixed before training starts, so that a resumed run goes on with the very same rows. Examples of
    like length share a batch; the batches themselves come in random order.
    """
    rng = np.random.default_rng(seed)
    epochs = -(-rows // len(lengths))
    drawn = np.concatenate([rng.permutation(len(lengths)) for _ in range(epochs)])[:rows]
    ordered: list[int] = []
    for start in range(0, rows, SORTED_BATCHES * batch_size):
        chunk = sorted(
            drawn[start : start + SORTED_BATCHES * batch_size].tolist(), key=lengths.__getitem__
        )
        batches = [chunk[i : i + batch_size] for i in range(0, len(chunk), batch_size)]
        # Only the last chunk's last batch can be short; it must stay last, or the Trainer, which
        # cuts the order into batches by itself, would cut it elsewhere.
        full, short = (batches[:-1], batches[-1:]) if len(chunk) % batch_size else (batches, [])
        ordered += [i for n in rng.permutation(len(full)) for i in full[n]]
        ordered += [i for batch in short for i in batch]
    return ordered


@dataclass(frozen=True)
class Collator:
    """Pads a batch on the left, as inference does, so that all completions end in one column.

    Ids, attention mask and positions are (rows, longest row). Labels hold only the last columns,
    from the one before the longest completion on, and `logits_to_keep` tells the model so: a
    vocabulary is wide, and logits of a prompt would be computed only to be passed over.
    """

    pad_id: int

    def __call__(self, batch: Sequence[Example]) -> dict[str, torch.Tensor | int]:
        ids, mask = pad_left([example["input_ids"] for example in batch], self.pad_id)
        labels, _ = pad_left([example["labels"] for example in batch], IGNORED)
        learned = (labels != IGNORED).any(dim=0).nonzero()
        # One column more: a token is predicted at the position before it.
        kept = labels.shape[1] - max(0, int(learned[0]) - 1) if len(learned) else 1
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions(mask),
            "labels": labels[:, -kept:],
            "logits_to_keep": kept,
        }
