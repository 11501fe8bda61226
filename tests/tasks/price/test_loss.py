import pytest
import torch

from finetune.tasks.price.loss import PriceLoss

VOCABULARY = 12
PRICES = [2, 3, 4, 5, 6]  # the tokens of the prices 0, 1, 2, 3, 4
TARGETS = torch.tensor([5, 1, 7, 8, 9])


@pytest.fixture
def logits():
    return torch.randn(5, VOCABULARY, generator=torch.Generator().manual_seed(0))


def test_without_prices_it_is_the_summed_cross_entropy(logits):
    expected = -sum(row.log_softmax(-1)[label] for row, label in zip(logits, TARGETS, strict=True))
    for loss in (PriceLoss(None, 2.0), PriceLoss(PRICES, 0.0)):
        assert loss(logits, TARGETS).item() == pytest.approx(expected.item(), rel=1e-5)


def test_prices_add_their_expected_error_over_prices_alone(logits):
    plain = PriceLoss(None, 2.0)(logits, TARGETS)
    distribution = logits[0, PRICES].softmax(-1)
    error = sum(p * abs(price - 3) for price, p in enumerate(distribution.tolist()))
    found = PriceLoss(PRICES, 2.0)(logits, TARGETS)
    assert found.item() == pytest.approx(plain.item() + 2 * error / 100, rel=1e-5)


def test_parts_add_up_to_the_whole(logits):
    loss = PriceLoss(PRICES, 2.0)
    parts = loss(logits[:2], TARGETS[:2]) + loss(logits[2:], TARGETS[2:])
    assert parts.item() == pytest.approx(loss(logits, TARGETS).item(), rel=1e-6)


def test_a_guess_nearer_to_the_price_costs_less():
    def cost(guess: int) -> float:
        logits = torch.zeros(1, VOCABULARY)
        logits[0, PRICES[guess]] = 9.0
        return PriceLoss(PRICES, 50.0)(logits, torch.tensor([PRICES[4]])).item()

    assert cost(3) < cost(2) < cost(0)
