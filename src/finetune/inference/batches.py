"""Batches of prompts: sorted by length, padded on the left, answers in the prompts' own order."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from finetune.core.progress import bar

Answer = TypeVar("Answer")


def in_batches(
    lengths: Sequence[int],
    max_rows: Callable[[int], int],
    what: str,
    answer: Callable[[list[int]], list[Answer]],
) -> list[Answer]:
    """`answer(indices)` for batches of the texts of these lengths, in the texts' own order.

    `max_rows` and the batches are those of `batches`, `what` names the work in the progress bar.
    """
    answers: dict[int, Answer] = {}
    with bar(None, what, "row", total=len(lengths)) as progress:
        for chosen in batches(lengths, max_rows):
            answers |= dict(zip(chosen, answer(chosen), strict=True))
            progress.update(len(chosen))
    return [answers[i] for i in range(len(lengths))]


def batches(lengths: Sequence[int], max_rows: Callable[[int], int]) -> Iterator[list[int]]:
    """Indices of texts of like length, the longest first: a batch that does not fit fails at once.

    `max_rows` is how many texts of so many tokens fit into one batch; one does in any case.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    start = 0
    while start < len(order):
        stop = start + max(1, max_rows(lengths[order[start]]))
        yield order[start:stop]
        start = stop


def within(token_budget: int) -> Callable[[int], int]:
    """As many texts of a length as have so many tokens together, padding included."""
    return lambda longest: token_budget // max(1, longest)


def pad_left(rows: Sequence[list[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, each (rows, longest row): a row's last token is its last column."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Position ids that padding on the left does not push along, of the mask's shape."""
    return (mask.cumsum(-1) - 1).clamp(min=0)
