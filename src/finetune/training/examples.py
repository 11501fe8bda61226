"""Rows as training examples, and their order over the optimizer steps of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetune.core.errors import DataError
from finetune.core.rows import TaskRow
from finetune.modeling.prompts import PromptEncoder

IGNORE_INDEX = -100  # the label of tokens that are no targets of the loss
# Rows are sorted by length within so many batches: enough for little padding, few enough that the
# rows of a batch are still mostly random.
SORTED_BATCHES = 16
MAX_UNLEARNED = 0.01

Example = dict[str, list[int]]


@dataclass(frozen=True)
class Step:
    """One optimizer step: its number, from 0, and the indices of its examples."""

    number: int
    rows: tuple[int, ...]


def num_target_tokens(example: Example) -> int:
    """The number of targets of the loss; a row's first token, which nothing predicts, is none."""
    return sum(label != IGNORE_INDEX for label in example["labels"][1:])


def completion(example: Example) -> list[int]:
    """The ids of an example's completion."""
    return [label for label in example["labels"] if label != IGNORE_INDEX]


def max_target_rate(examples: Sequence[Example], branches: int = 0) -> float:
    """The largest fraction of an example's tokens whose logits are computed.

    They are its targets, and so many `branches` (`losses.Branches`), which are tokens beside them.
    """
    return max(
        (num_target_tokens(example) + branches) / (len(example["input_ids"]) + branches)
        for example in examples
    )


@dataclass(frozen=True)
class Examples:
    """Encoded rows, and how many were truncated.

    unlearned: examples without a target token.
    """

    examples: list[Example]
    prompts_truncated: int
    completions_truncated: int
    unlearned: int = 0

    def tokens(self) -> dict[str, float]:
        """Mean and maximum length of prompts and completions, in tokens."""
        completions = [sum(n != IGNORE_INDEX for n in each["labels"]) for each in self.examples]
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


def encode(rows: Sequence[TaskRow], encoder: PromptEncoder) -> Examples:
    """Prompt and completion of each row as ids; the completion's tokens are the targets.

    Raises:
        DataError: more than `MAX_UNLEARNED` of the rows have no target token.
    """
    rows = [row.for_prompt(encoder.prompt) for row in rows]
    prompts = [encoder.encode(row.input) for row in rows]
    completions = [encoder.encode_completion(row.completion) for row in rows]
    examples = [
        {
            "input_ids": [*prompt.ids, *completion.ids],
            "labels": [IGNORE_INDEX] * len(prompt.ids) + completion.ids,
        }
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    unlearned = sum(not num_target_tokens(example) for example in examples)
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


def encode_numbers(rows: Sequence[TaskRow], encoder: PromptEncoder) -> Examples:
    """Each row's prompt as ids; the target of its last token is the row's number in hundredths.

    For a model that answers with a number, where `encode` is for one that writes.

    The rows are of a kind whose answers are numbers (`Task.has_numbers`): parameters with another
    one are refused before.
    """
    rows = [row.for_prompt(encoder.prompt) for row in rows]
    prompts = [encoder.encode(row.input) for row in rows]
    examples = []
    for row, prompt in zip(rows, prompts, strict=True):
        assert row.number is not None
        # What stands behind the prompt is not read by it; it has the target's place.
        last = prompt.ids[-1]
        labels = [IGNORE_INDEX] * len(prompt.ids) + [round(100 * row.number)]
        examples.append({"input_ids": [*prompt.ids, last], "labels": labels})
    truncated = sum(prompt.truncated for prompt in prompts)
    return Examples(examples, prompts_truncated=truncated, completions_truncated=0)


def sampling_order(lengths: Sequence[int], rows: int, batch_size: int, seed: int) -> list[int]:
    """The indices of `rows` examples in training order, each epoch shuffled anew.

    Determined before training starts, so that a resumed run continues with the same rows. Examples
    of similar length share a batch; the batches are in random order.
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
        # Only the last chunk's last batch can be short; it must stay last, or the batches after it
        # would be shifted.
        full, short = (batches[:-1], batches[-1:]) if len(chunk) % batch_size else (batches, [])
        ordered += [i for n in rng.permutation(len(full)) for i in full[n]]
        ordered += [i for batch in short for i in batch]
    return ordered


def optimizer_steps(
    examples: Sequence[Example], rows: int, batch_size: int, seed: int
) -> list[Step]:
    """The optimizer steps of a run over `rows` examples, with `batch_size` examples each."""
    lengths = [len(example["input_ids"]) for example in examples]
    order = sampling_order(lengths, rows, batch_size, seed)
    return [
        Step(start // batch_size, tuple(order[start : start + batch_size]))
        for start in range(0, rows, batch_size)
    ]
