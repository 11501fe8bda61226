"""The training loss: cross-entropy on the completion, and for prices the expected error as well."""

from collections.abc import Sequence
from typing import Any

import torch

from finetune.training.examples import IGNORED

# Expected error counts in hundreds of USD, which is of the size of a cross-entropy.
SCALE = 100.0


class CompletionLoss:
    """For the Trainer's `compute_loss_func`.

    Cross-entropy does not know that 89 is close to 99. The second term does: the expected absolute
    difference between the predicted distribution over prices, normalized over them, and the true
    price; the Wasserstein-1 form of the number token loss (Zausinger et al. 2025, "Regress, Don't
    Guess", arXiv 2411.02083).
    """

    def __init__(self, price_tokens: Sequence[int] | None, weight: float) -> None:
        self.tokens = torch.tensor(price_tokens) if price_tokens is not None and weight else None
        self.weight = weight

    def __call__(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The mean over the completion tokens of the optimizer step's whole batch.

        `outputs.logits` is (rows, tokens, vocabulary), `labels` (rows, tokens), both of the same
        columns: the last ones suffice.
        """
        targets = labels[:, 1:]
        learned = targets != IGNORED
        logits, targets = outputs.logits[:, :-1][learned].float(), targets[learned]
        total = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
        if self.tokens is not None:
            total = total + self.weight / SCALE * self._expected_error(logits, targets)
        return total / (len(targets) if num_items_in_batch is None else num_items_in_batch)

    def _expected_error(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Summed over the targets that are prices, in USD."""
        tokens = self.tokens.to(targets.device)
        is_price, price = (targets[:, None] == tokens).max(dim=1)
        distribution = logits[is_price][:, tokens].softmax(-1)
        prices = torch.arange(len(tokens), device=targets.device)
        return (distribution * (prices - price[is_price, None]).abs()).sum()
