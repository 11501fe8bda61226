"""Rows as training examples, and their order over the optimizer steps of a run.

Of few rows all are encoded before the first step, of many those that the steps ask for: a run of
some steps on a million rows begins at once, and never holds all of them.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar, overload

import numpy as np

from finetune.core.errors import DataError
from finetune.core.rows import TaskRow
from finetune.modeling import truncation
from finetune.modeling.prompts import PromptEncoder
from finetune.modeling.truncation import Truncated

IGNORE_INDEX = -100  # the label of tokens that are no targets of the loss
# Rows are sorted by length within so many batches: enough for little padding, few enough that the
# rows of a batch are still mostly random.
SORTED_BATCHES = 16
MAX_UNLEARNED = 0.01

Example = dict[str, list[int]]
Row = TypeVar("Row")


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


class Encoding(NamedTuple):
    """An encoded row, and whether its prompt and its answer were truncated."""

    example: Example
    prompt_truncated: bool
    completion_truncated: bool


class Examples(Sequence[Example]):
    """Encoded rows: all, if they are no more than `truncation.ALL_ROWS`; else those asked for last.

    What is counted of them is of the rows that were encoded so far: some bytes for each row.
    """

    def __init__(self, rows: Sequence[Row], encode: Callable[[Row], Encoding], bound: int) -> None:
        """Rows, how each is encoded, and the tokens that an example may have."""
        self._rows, self._encode, self._bound = rows, encode, bound
        self._kept: dict[int, Example] = {}
        count = len(rows)
        # Tokens, tokens of the completion, and targets of the loss; 0 tokens: not yet encoded.
        self._tokens, self._completions, self._targets = np.zeros((3, count), np.int32)
        self._truncated = np.zeros((2, count), bool)  # prompt, completion
        self.probe = [self[row] for row in truncation.sample(count)]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> Example: ...
    @overload
    def __getitem__(self, row: slice) -> list[Example]: ...
    def __getitem__(self, row: int | slice) -> Example | list[Example]:
        """An example, which is encoded if it is not kept, or several of them, as a list.

        Raises:
            IndexError: there is no such row.
        """
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        number = range(len(self))[row]
        if number not in self._kept:
            if len(self._kept) >= truncation.ALL_ROWS:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = self._encoded(number)
        return self._kept[number]

    def _encoded(self, number: int) -> Example:
        example, *truncated = self._encode(self._rows[number])
        self._tokens[number] = len(example["input_ids"])
        self._completions[number] = len(completion(example))
        self._targets[number] = num_target_tokens(example)
        self._truncated[:, number] = truncated
        return example

    @property
    def is_whole(self) -> bool:
        """Whether all rows are encoded, not those alone that were asked for."""
        return len(self) <= truncation.ALL_ROWS

    @property
    def longest(self) -> int:
        """The tokens of the longest example; where they are not all encoded, what one may have."""
        return int(self._tokens.max()) if self.is_whole else self._bound

    def lengths(self, rows: Iterable[int]) -> list[int]:
        """The tokens of the examples of some rows."""
        rows = list(rows)
        for row in rows:
            if not self._tokens[row]:
                self[row]
        return [int(tokens) for tokens in self._tokens[rows]]

    def num_targets(self) -> int:
        """The targets of the loss in all examples."""
        self.lengths(range(len(self)))
        return int(self._targets.sum(dtype=np.int64))

    @property
    def num_encoded(self) -> int:
        """How many rows were encoded so far."""
        return int((self._tokens > 0).sum())

    @property
    def unlearned(self) -> int:
        """How many of the encoded rows have no target token."""
        return int(((self._tokens > 0) & (self._targets == 0)).sum())

    @property
    def truncated(self) -> Truncated:
        """How many of the encoded rows have a truncated prompt, and a truncated completion."""
        prompts, completions = self._truncated.sum(axis=1)
        return Truncated(self.num_encoded, int(prompts), int(completions))

    def tokens(self) -> dict[str, float]:
        """Mean and maximum length of the encoded rows' prompts and completions, in tokens."""
        encoded = self._tokens > 0
        completions = self._completions[encoded]
        prompts = self._tokens[encoded] - completions
        return {
            "prompt_tokens_mean": round(float(np.mean(prompts)), 1),
            "prompt_tokens_max": int(prompts.max()),
            "completion_tokens_mean": round(float(np.mean(completions)), 1),
            "completion_tokens_max": int(completions.max()),
        }


def lengths(examples: Sequence[Example], rows: Iterable[int] | None = None) -> list[int]:
    """The tokens of all examples, or of those of some rows."""
    rows = range(len(examples)) if rows is None else rows
    if isinstance(examples, Examples):
        return examples.lengths(rows)
    return [len(examples[row]["input_ids"]) for row in rows]


def num_targets(examples: Sequence[Example]) -> int:
    """The targets of the loss in all examples."""
    if isinstance(examples, Examples):
        return examples.num_targets()
    return sum(map(num_target_tokens, examples))


def encode(rows: Sequence[TaskRow], encoder: PromptEncoder) -> Examples:
    """Prompt and completion of each row as ids; the completion's tokens are the targets.

    Raises:
        DataError: see `learnable`.
    """
    return learnable(Examples(rows, text_encoding(encoder), text_bound(encoder)))


def text_encoding(encoder: PromptEncoder) -> Callable[[TaskRow], Encoding]:
    """How a row is encoded whose answer is a text."""

    def of_row(row: TaskRow) -> Encoding:
        row = row.for_prompt(encoder.prompt)
        prompt = encoder.encode(row.input)
        completion = encoder.encode_completion(row.completion)
        example = {
            "input_ids": [*prompt.ids, *completion.ids],
            "labels": [IGNORE_INDEX] * len(prompt.ids) + completion.ids,
        }
        return Encoding(example, prompt.truncated, completion.truncated)

    return of_row


def text_bound(encoder: PromptEncoder) -> int:
    """The tokens that the example of a row may have whose answer is a text."""
    return encoder.max_prompt_tokens + encoder.prompt.max_completion_tokens


def learnable(examples: Examples) -> Examples:
    """The same examples.

    Raises:
        DataError: more than `MAX_UNLEARNED` of the rows have no target token; of many rows, of a
            sample of them.
    """
    if examples.unlearned > MAX_UNLEARNED * examples.num_encoded:
        raise DataError(
            f"{examples.unlearned} of {examples.num_encoded} rows have no token to learn from: see "
            "the rows' answers and prompt.max_completion_tokens in the task's config"
        )
    return examples


def encode_numbers(rows: Sequence[TaskRow], encoder: PromptEncoder) -> Examples:
    """Each row's prompt as ids; the target of its last token is the row's number in hundredths.

    For a model that answers with a number, where `encode` is for one that writes.

    The rows are of a kind whose answers are numbers (`Task.has_numbers`): parameters with another
    one are refused before.
    """

    def of_row(row: TaskRow) -> Encoding:
        row = row.for_prompt(encoder.prompt)
        prompt = encoder.encode(row.input)
        assert row.number is not None
        # What stands behind the prompt is not read by it; it has the target's place.
        last = prompt.ids[-1]
        labels = [IGNORE_INDEX] * len(prompt.ids) + [round(100 * row.number)]
        example = {"input_ids": [*prompt.ids, last], "labels": labels}
        return Encoding(example, prompt.truncated, completion_truncated=False)

    return Examples(rows, of_row, encoder.max_prompt_tokens + 1)


class Schedule(Sequence[Step]):
    """The optimizer steps of a run over `rows` examples, with `batch_size` examples each.

    Each epoch is shuffled anew. Which rows come when is determined before training starts, so that
    a resumed run continues with the same ones. Examples of similar length share a batch, of
    `SORTED_BATCHES` batches at a time, which are then in random order. Epochs share one batch at
    most, so that no other step has an example twice.
    """

    def __init__(self, examples: Sequence[Example], rows: int, batch_size: int, seed: int) -> None:
        self._examples, self._batch_size = examples, batch_size
        self._len = -(-rows // batch_size)
        rng = np.random.default_rng(seed)
        epochs = -(-rows // len(examples))
        drawn = np.concatenate([rng.permutation(len(examples)) for _ in range(epochs)])[:rows]
        size = SORTED_BATCHES * batch_size
        self._chunks = [drawn[start : start + size] for start in range(0, rows, size)]
        self._orders = [rng.permutation(len(chunk) // batch_size) for chunk in self._chunks]
        self._sorted: tuple[int, list[Step]] = (-1, [])  # the chunk that was asked for last

    def __len__(self) -> int:
        """The number of steps."""
        return self._len

    @overload
    def __getitem__(self, step: int) -> Step: ...
    @overload
    def __getitem__(self, step: slice) -> list[Step]: ...
    def __getitem__(self, step: int | slice) -> Step | list[Step]:
        """A step; the first one of a chunk has all its rows encoded, for their lengths.

        Raises:
            IndexError: there is no such step.
        """
        if isinstance(step, slice):
            return [self[i] for i in range(*step.indices(len(self)))]
        number, place = divmod(range(len(self))[step], SORTED_BATCHES)
        if self._sorted[0] != number:
            self._sorted = number, self._steps(number)
        return self._sorted[1][place]

    def until(self, step: int) -> Self:
        """The steps before one."""
        first = copy.copy(self)
        first._len = step
        return first

    def _steps(self, number: int) -> list[Step]:
        drawn, size = self._chunks[number].tolist(), self._batch_size
        start, in_epoch = number * SORTED_BATCHES * size, len(self._examples)
        epochs = [place // in_epoch for place in range(start, start + len(drawn))]
        # By length within an epoch: sorted together, the copies of a row would be neighbours.
        tokens = lengths(self._examples, drawn)
        chunk = [
            row for *_, row in sorted(zip(epochs, tokens, range(len(drawn)), drawn, strict=True))
        ]
        batches = [tuple(chunk[i : i + size]) for i in range(0, len(chunk), size)]
        # Only the last chunk's last batch can be short; it stays last, or the batches after it
        # would be shifted.
        short = batches[len(self._orders[number]) :]
        ordered = [*(batches[i] for i in self._orders[number]), *short]
        return [Step(number * SORTED_BATCHES + i, batch) for i, batch in enumerate(ordered)]
