"""The training loss: cross-entropy on the completion, and for prices the expected error as well."""

from collections.abc import Sequence

import torch

# Expected error counts in hundreds of USD, which is of the size of a cross-entropy.
SCALE = 100.0


class CompletionLoss:
    """The loss of completion tokens, summed.

    Cross-entropy does not know that 89 is close to 99. The second term does: the expected absolute
    difference between the predicted distribution over prices, normalized over them, and the true
    price; the Wasserstein-1 form of the number token loss (Zausinger et al. 2025, "Regress, Don't
    Guess", arXiv 2411.02083).
    """

    def __init__(self, price_tokens: Sequence[int] | None, weight: float) -> None:
        self.tokens = torch.tensor(price_tokens) if price_tokens is not None and weight else None
        self.weight = weight

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The sum over tokens; `logits` is (tokens, vocabulary), `targets` (tokens,).

        A sum, not a mean: a step is cut into micro-batches, and its mean is over all of them.
        """
        logits = logits.float()
        total = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
        if self.tokens is not None:
            total = total + self.weight / SCALE * self._expected_error(logits, targets)
        return total

    def _expected_error(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Summed over the targets that are prices, in USD."""
        tokens = self.tokens.to(targets.device)
        is_price, price = (targets[:, None] == tokens).max(dim=1)
        distribution = logits[is_price][:, tokens].softmax(-1)
        prices = torch.arange(len(tokens), device=targets.device)
        return (distribution * (prices - price[is_price, None]).abs()).sum()
