"""What training minimizes: the cross-entropy that every kind starts from, and what is added."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

TokenPath = tuple[int, ...]


@dataclass(frozen=True)
class Branches:
    """A loss of what a model would answer, not only of what it should.

    paths: token ids that are tried after each prompt, in the same forward pass as its completion;
    each non-empty prefix of a path is itself one of them.
    loss: of logits (rows, 1 + paths, vocabulary), those after the prompt and after each path, and
    of the ids of the rows' completions; summed over the rows.
    """

    paths: tuple[TokenPath, ...]
    loss: Callable[[torch.Tensor, Sequence[Sequence[int]]], torch.Tensor]


@dataclass(frozen=True)
class Loss:
    """The loss of a micro-batch.

    of_targets: of logits (tokens, vocabulary) and targets (tokens,), summed over the tokens.
    branches: what is added to it, if anything is.
    """

    of_targets: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    branches: Branches | None = None

    @property
    def paths(self) -> tuple[TokenPath, ...]:
        """The token ids that are tried after each prompt."""
        return self.branches.paths if self.branches else ()


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Summed over tokens, in nats; `logits` is (tokens, vocabulary), `targets` (tokens,).

    A sum, not a mean: a step is split into micro-batches, and its mean is over all of them.
    """
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")


CROSS_ENTROPY = Loss(cross_entropy)


def number_likelihood(outputs: torch.Tensor, cents: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of log(1 + number) under Laplace distributions, summed, in nats.

    `outputs` (rows, 2) are those of `modeling.number_head`; `cents` (rows,) are the numbers in
    hundredths.
    """
    location, log_scale = outputs.float().unbind(-1)
    error = (torch.log1p(cents / 100) - location).abs()
    return (error / log_scale.exp() + log_scale + math.log(2)).sum()
