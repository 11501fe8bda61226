"""Batches of prompts: sorted by length, padded on the left, answers in the prompts' own order."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from finetune.progress import bar

Answer = TypeVar("Answer")


def in_batches(
    prompts: Sequence[list[int]],
    batch_size: int,
    pad_id: int,
    what: str,
    answer: Callable[[torch.Tensor, torch.Tensor], list[Answer]],
) -> list[Answer]:
    """`answer(input_ids, attention_mask)` for all prompts, in the prompts' own order.

    Both tensors are (rows, longest prompt of the batch). Prompts of like length go together, the
    longest first: little padding, and a batch that does not fit in memory fails at once.
    """
    order = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), i))
    answers: dict[int, Answer] = {}
    with bar(None, what, "row", total=len(prompts)) as progress:
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = pad_left([prompts[i] for i in chosen], pad_id)
            answers |= dict(zip(chosen, answer(*batch), strict=True))
            progress.update(len(chosen))
    return [answers[i] for i in range(len(prompts))]


def pad_left(rows: Sequence[list[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, each (rows, longest row): a row's last token is its last column."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Position ids that padding on the left does not push along, of the mask's shape."""
    return (mask.cumsum(-1) - 1).clamp(min=0)
