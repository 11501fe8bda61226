"""Rows as training examples, and their order over the whole run, optimizer step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.core.errors import DataError
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.kinds import Kind

IGNORED = -100  # the label that the loss passes over
# Batches whose rows are sorted among themselves: enough for little padding, few enough that which
# rows meet in a batch stays mostly chance.
SORTED_BATCHES = 16
MAX_UNLEARNED = 0.01

Example = dict[str, list[int]]


@dataclass(frozen=True)
class Step:
    """One optimizer step: its number from 0, and the indices of its examples."""

    number: int
    rows: tuple[int, ...]


def learned_tokens(example: Example) -> int:
    """How many tokens the loss falls on; a row's first follows nothing, and is never learned."""
    return sum(label != IGNORED for label in example["labels"][1:])


def learned_rate(examples: Sequence[Example]) -> float:
    """The largest part of an example's tokens that is learned: what logits are kept for."""
    return max(learned_tokens(example) / len(example["input_ids"]) for example in examples)


@dataclass(frozen=True)
class Examples:
    """Encoded rows, and how many had to be cut."""

    examples: list[Example]
    prompts_truncated: int
    completions_truncated: int
    unlearned: int = 0  # examples without a token that the loss falls on

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
    """Prompt and completion of each row as ids; the loss falls on the completion only.

    Raises:
        DataError: more than `MAX_UNLEARNED` of the rows have no token that the loss falls on.
    """
    prompts = [encoder.encode(kind.body(row)) for row in rows]
    completions = [encoder.encode_completion(kind.target(row)) for row in rows]
    examples = [
        {
            "input_ids": [*prompt.ids, *completion.ids],
            "labels": [IGNORED] * len(prompt.ids) + completion.ids,
        }
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    unlearned = sum(not learned_tokens(example) for example in examples)
    if unlearned > MAX_UNLEARNED * len(examples):
        raise DataError(
            f"{unlearned} of {len(examples)} rows have no token to learn from: see the rows' "
            "answers and prompt.max_completion_tokens in the task's config"
        )
    return Examples(
        examples,
        prompts_truncated=sum(prompt.truncated for prompt in prompts),
        completions_truncated=sum(completion.truncated for completion in completions),
        unlearned=unlearned,
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


def optimizer_steps(
    examples: Sequence[Example], rows: int, batch_size: int, seed: int
) -> list[Step]:
    """The optimizer steps of a run over `rows` examples: which rows each one learns from."""
    chosen = order([len(example["input_ids"]) for example in examples], rows, batch_size, seed)
    return [
        Step(start // batch_size, tuple(chosen[start : start + batch_size]))
        for start in range(0, rows, batch_size)
    ]
