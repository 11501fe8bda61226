"""The training loss of prices: cross-entropy, and the expected error as well."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase

from finetune.tasks.price.options import PriceTrain
from finetune.tasks.price.rows import PRICES
from finetune.training.losses import cross_entropy

# Expected error counts in hundreds of USD, which is of the size of a cross-entropy.
SCALE = 100.0


def loss(tokenizer: PreTrainedTokenizerBase, train: PriceTrain) -> "PriceLoss":
    """The loss of a completion's tokens, with the weight that `train.number_loss` gives the error.

    Where a tokenizer splits prices into several tokens it is cross-entropy alone.
    """
    return PriceLoss(price_tokens(tokenizer), train.number_loss)


def price_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int] | None:
    """The token of each integer price 0…999; None where the tokenizer splits some of them."""
    ids = [tokenizer(str(price), add_special_tokens=False)["input_ids"] for price in PRICES]
    return [token for (token,) in ids] if all(len(token) == 1 for token in ids) else None


class PriceLoss:
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
        total = cross_entropy(logits, targets)
        if self.tokens is not None:
            error = _expected_error(logits.float(), targets, self.tokens.to(targets.device))
            total = total + self.weight / SCALE * error
        return total


def _expected_error(
    logits: torch.Tensor, targets: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Summed over the targets that are prices, in USD; `tokens` are those of the prices 0…999."""
    is_price, price = (targets[:, None] == tokens).max(dim=1)
    distribution = logits[is_price][:, tokens].softmax(-1)
    prices = torch.arange(len(tokens), device=targets.device)
    return (distribution * (prices - price[is_price, None]).abs()).sum()
