import pytest
import torch

from finetune.core.schema import Lora
from finetune.inference.merging import merged_adapter
from finetune.methods.lora import attach

LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
IDS = torch.tensor([[5, 6, 7]])


@pytest.fixture
def attached(load, tiny_model):
    """A model with an adapter that changes something."""

    def made(quantization: str = "none"):
        torch.manual_seed(0)
        model = attach(load(tiny_model, quantization).model, LORA).eval()
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weights, std=0.1)
        return model

    return made


@torch.inference_mode()
def logits(model) -> torch.Tensor:
    return model(input_ids=IDS).logits


def has_merged(model) -> bool:
    return any(getattr(module, "merged", False) for module in model.modules())


def test_a_merged_adapter_says_what_it_said_before(attached):
    model = attached()
    before = logits(model)
    with merged_adapter(model):
        assert has_merged(model)
        torch.testing.assert_close(logits(model), before, rtol=1e-4, atol=1e-4)


def test_afterwards_every_weight_is_as_it_was(attached):
    model = attached()
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    with pytest.raises(KeyError), merged_adapter(model):
        raise KeyError
    assert not has_merged(model)
    assert all(torch.equal(weights, before[name]) for name, weights in model.named_parameters())


def test_quantized_weights_are_left_alone(attached):
    model = attached("nf4")
    with merged_adapter(model):
        assert not has_merged(model)


def test_rounded_weights_are_left_alone(attached):
    model = attached().to(torch.bfloat16)
    with merged_adapter(model):
        assert not has_merged(model)


def test_a_model_without_an_adapter_is_left_alone(load, tiny_model):
    model = load(tiny_model).model
    before = logits(model)
    with merged_adapter(model):
        assert torch.equal(logits(model), before)
