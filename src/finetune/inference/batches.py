"""Batches of prompts: sorted by length, padded on the left, answers in the prompts' own order."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from finetune.progress import bar

Answer = TypeVar("Answer")


def in_batches(
    lengths: Sequence[int],
    batch_size: int,
    what: str,
    answer: Callable[[list[int]], list[Answer]],
) -> list[Answer]:
    """`answer(indices)` for batches of the texts of these lengths, in the texts' own order.

    Texts of like length go together, the longest first: little padding, and a batch that does not
    fit in memory fails at once.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    answers: dict[int, Answer] = {}
    with bar(None, what, "row", total=len(lengths)) as progress:
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            answers |= dict(zip(chosen, answer(chosen), strict=True))
            progress.update(len(chosen))
    return [answers[i] for i in range(len(lengths))]


def pad_left(rows: Sequence[list[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, each (rows, longest row): a row's last token is its last column."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Position ids that padding on the left does not push along, of the mask's shape."""
    return (mask.cumsum(-1) - 1).clamp(min=0)
