from types import SimpleNamespace

import pytest
import torch

from finetune.training.losses import CompletionLoss

VOCABULARY = 12
TOKENS = [2, 3, 4, 5, 6]  # the prices 0, 1, 2, 3, 4
LABELS = torch.tensor([[-100, -100, 5, 1], [-100, 7, 8, 9]])


@pytest.fixture
def outputs():
    generator = torch.Generator().manual_seed(0)
    return SimpleNamespace(logits=torch.randn(2, 4, VOCABULARY, generator=generator))


def test_without_prices_it_is_the_cross_entropy_of_the_completion(outputs):
    rows = [(0, 1, 5), (0, 2, 1), (1, 0, 7), (1, 1, 8), (1, 2, 9)]
    expected = -sum(outputs.logits[r, t].log_softmax(-1)[label] for r, t, label in rows) / 5
    for loss in (CompletionLoss(None, 2.0), CompletionLoss(TOKENS, 0.0)):
        assert loss(outputs, LABELS).item() == pytest.approx(expected.item(), rel=1e-5)


def test_prices_add_their_expected_error_over_prices_alone(outputs):
    plain = CompletionLoss(None, 2.0)(outputs, LABELS)
    distribution = outputs.logits[0, 1, TOKENS].softmax(-1)
    error = sum(p * abs(price - 3) for price, p in enumerate(distribution.tolist()))
    found = CompletionLoss(TOKENS, 2.0)(outputs, LABELS)
    assert found.item() == pytest.approx(plain.item() + 2 * error / 100 / 5, rel=1e-5)


def test_it_is_divided_by_the_tokens_of_the_whole_optimizer_step(outputs):
    loss = CompletionLoss(TOKENS, 2.0)
    whole = loss(outputs, LABELS)
    assert loss(outputs, LABELS, torch.tensor(10)).item() == pytest.approx(whole.item() / 2)


def test_a_guess_nearer_to_the_price_costs_less():
    def cost(guess: int) -> float:
        logits = torch.zeros(1, 2, VOCABULARY)
        logits[0, 0, TOKENS[guess]] = 9.0
        outputs = SimpleNamespace(logits=logits)
        return CompletionLoss(TOKENS, 50.0)(outputs, torch.tensor([[-100, TOKENS[4]]])).item()

    assert cost(3) < cost(2) < cost(0)
