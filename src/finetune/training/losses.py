"""The loss that every kind of task starts from."""

from collections.abc import Callable

import torch

# Logits (tokens, vocabulary) and targets (tokens,) → the loss summed over the tokens.
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Summed over tokens, in nats; `logits` is (tokens, vocabulary), `targets` (tokens,).

    A sum, not a mean: a step is cut into micro-batches, and its mean is over all of them.
    """
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")
