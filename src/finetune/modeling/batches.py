"""Batches of prompts: sorted by length, padded on the left, results in the prompts' own order."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from finetune.core import processes
from finetune.core.progress import bar
from finetune.modeling import answered

Result = TypeVar("Result")


def in_batches(
    lengths: Sequence[int],
    max_rows: Callable[[int], int],
    desc: str,
    process: Callable[[list[int]], list[Result]],
) -> list[Result]:
    """The results of `process(indices)` for batches of texts, in the texts' own order.

    Batches that an earlier process answered are not processed again: see `answered`. Several
    processes of a stage share the others: each processes some, all get all results.

    Args:
        lengths: the texts' lengths in tokens.
        max_rows: see `batches`.
        desc: the title of the progress bar.
        process: takes the indices of a batch, returns a result for each.
    """
    results: dict[int, Result] = {}
    call = answered.call(desc)
    left = []
    for indices in batches(lengths, max_rows):
        known: list[Result] | None = call.known(indices)
        if known is None:
            left.append(indices)
        else:
            results |= dict(zip(indices, known, strict=True))
    count = processes.count()
    rounds = [left[start : start + count] for start in range(0, len(left), count)]
    answers: dict[int, Result] = {}
    with bar(None, desc, "row", total=len(lengths)) as progress:
        # The rate is computed from the rows of this run only.
        progress.initial = progress.n = len(results)
        for of_ranks in rounds:
            # The other processes have batches of about as many tokens, and are about as far.
            rows = sum(map(len, of_ranks))
            if processes.rank() < len(of_ranks):
                indices = of_ranks[processes.rank()]
                new = process(indices)
                call.add(indices, new, rows)
                answers |= dict(zip(indices, new, strict=True))
            progress.update(rows)
    for of_rank in processes.gathered(answers):
        results |= of_rank
    return [results[i] for i in range(len(lengths))]


def batches(lengths: Sequence[int], max_rows: Callable[[int], int]) -> Iterator[list[int]]:
    """Indices of texts of similar length, batch by batch.

    The longest come first, so that a batch that does not fit into memory fails at once.
    `max_rows(longest)` is how many texts of so many tokens a batch may hold; it holds at least one.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    start = 0
    while start < len(order):
        stop = start + max(1, max_rows(lengths[order[start]]))
        yield order[start:stop]
        start = stop


def within_budget(token_budget: int) -> Callable[[int], int]:
    """A `max_rows` for `batches` of at most so many tokens each, padding included."""
    return lambda longest: token_budget // max(1, longest)


def pad_left(rows: Sequence[list[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, each (rows, longest row): a row's last token is its last column."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def position_ids(mask: torch.Tensor) -> torch.Tensor:
    """Position ids of a (rows, columns) attention mask, in its shape: padding is not counted."""
    return (mask.cumsum(-1) - 1).clamp(min=0)
