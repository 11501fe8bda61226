"""How many prompts and answers of a split are truncated, and when those are too many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetune.core.errors import DataError
from finetune.core.rows import TaskRow
from finetune.modeling.prompts import PromptEncoder

# Of more rows a sample is encoded before a stage begins: tokenizers do some thousand rows a second.
ALL_ROWS = 20_000
SAMPLE = 2_000
SEED = 0


@dataclass(frozen=True)
class Truncated:
    """Of so many rows, how many have a prompt and how many an answer that is truncated."""

    rows: int
    prompts: int
    completions: int

    def metrics(self) -> dict[str, int]:
        """The counts as the metric files have them."""
        return {
            "rows": self.rows,
            "prompts_truncated": self.prompts,
            "completions_truncated": self.completions,
        }

    def check(self, task: str, split: str, encoder: PromptEncoder, most: float) -> None:
        """See that no larger fraction of prompts or answers than `most` is truncated.

        Raises:
            DataError: it is.
        """
        prompt = encoder.prompt
        fits, limit = encoder.max_prompt_tokens, f"{prompt.max_tokens}"
        if fits < prompt.max_tokens:
            limit += f", of which the model's context of {encoder.context} leaves {fits}"
        for count, what, key, value in (
            (self.prompts, "prompts", "max_tokens", limit),
            (self.completions, "answers", "max_completion_tokens", prompt.max_completion_tokens),
        ):
            if count > most * self.rows:
                raise DataError(
                    f"{task}: {count:,} of {self.rows:,} {what} of {split} rows are truncated "
                    f"({count / self.rows:.1%}), more than data.max_truncated allows ({most:.1%}): "
                    f"raise tasks.{task}.prompt.{key} (now {value}), or data.max_truncated"
                )


def sample(rows: int) -> Sequence[int]:
    """The numbers of all rows; of many rows, of a seeded sample in ascending order."""
    if rows <= ALL_ROWS:
        return range(rows)
    drawn = np.random.default_rng(SEED).choice(rows, SAMPLE, replace=False)
    return [int(number) for number in np.sort(drawn)]


def truncated(rows: Sequence[TaskRow], encoder: PromptEncoder) -> Truncated:
    """How many prompts and answers are truncated, of all rows or of a `sample`."""
    numbers = sample(len(rows))
    prompts = completions = 0
    for number in numbers:
        row = rows[number].for_prompt(encoder.prompt)
        prompts += encoder.encode(row.input).truncated
        completions += encoder.encode_completion(row.completion).truncated
    return Truncated(len(numbers), prompts, completions)
