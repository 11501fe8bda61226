import pytest
import torch

from finetune.training.losses import cross_entropy, number_likelihood


def test_cross_entropy_is_summed_over_tokens_in_nats():
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([5, 1, 6])
    expected = -sum(row.log_softmax(-1)[t] for row, t in zip(logits, targets, strict=True))
    assert cross_entropy(logits, targets).item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_is_computed_in_float32_whatever_the_logits_are():
    logits = torch.tensor([[3.0, 1.0]], dtype=torch.bfloat16)
    assert cross_entropy(logits, torch.tensor([0])).dtype == torch.float32


def test_the_likelihood_of_numbers_is_that_of_a_laplace_distribution_of_their_logarithms():
    outputs = torch.tensor([[3.0, -0.5], [2.0, 0.25]])
    logs = torch.log1p(torch.tensor([19.99, 5.0]))
    laplace = torch.distributions.Laplace(outputs[:, 0], outputs[:, 1].exp())
    found = number_likelihood(outputs, torch.tensor([1999, 500]))
    assert found.item() == pytest.approx(-laplace.log_prob(logs).sum().item(), rel=1e-5)
