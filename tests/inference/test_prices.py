import pytest
import torch

from finetune.inference import prices
from finetune.modeling.price_tokens import price_tokens


def test_each_price_has_a_token_of_its_own(load, tiny_model, digits_model):
    tokenizer = load(tiny_model).tokenizer
    tokens = price_tokens(tokenizer)
    assert len(set(tokens)) == 1000
    assert tokenizer.decode([tokens[789]]) == "789"
    assert price_tokens(load(digits_model).tokenizer) is None


def test_distributions_are_those_of_one_prompt_at_a_time(load, tiny_model):
    base = load(tiny_model)
    tokens = price_tokens(base.tokenizer)
    texts = ["A lamp", "A very long text about a chair of wood", "Tea"]
    prompts = [base.tokenizer(text)["input_ids"] for text in texts]
    found = prices.distributions(
        base.model, prompts, tokens, 3, base.tokenizer.pad_token_id, "test"
    )
    for prompt, distribution in zip(prompts, found, strict=True):
        with torch.inference_mode():
            logits = base.model(input_ids=torch.tensor([prompt])).logits[0, -1, tokens]
        torch.testing.assert_close(distribution, logits.softmax(-1), rtol=1e-4, atol=1e-7)
        assert distribution.sum().item() == pytest.approx(1, abs=1e-5)


def test_the_median_minimizes_the_expected_absolute_error():
    distribution = torch.rand(1000, generator=torch.Generator().manual_seed(1)) ** 8
    distribution /= distribution.sum()
    values = torch.arange(1000.0)
    errors = ((values[:, None] - values[None]).abs() * distribution).sum(1)
    assert prices.median(distribution) == errors.argmin().item()


def test_the_greedy_estimate_is_the_likeliest_price():
    distribution = torch.full((1000,), 0.0005)
    distribution[42] = 0.5
    assert prices.greedy(distribution) == 42
