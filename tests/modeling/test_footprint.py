import pytest
import torch
from torch._subclasses import FakeTensorMode

from finetune.core.schema import Lora
from finetune.methods import full
from finetune.methods.lora import attach
from finetune.modeling import footprint
from finetune.modeling.footprint import LiveBytes

LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")


def test_bytes_count_while_something_holds_them():
    with LiveBytes() as live:
        one = torch.zeros(1000)
        view = one.view(10, 100)
        other = one + 1
        assert live.now == 8000
        del one, other
        assert live.now == 4000  # the view holds it
        del view
        assert live.now == 0
    assert live.peak == 8000


def test_what_autograd_keeps_counts():
    weight = torch.ones(100, 100, requires_grad=True)
    with LiveBytes() as live:
        out = (weight @ weight).exp()
        assert live.now == 40_000  # exp keeps what it gives, the product is gone
        loss = out.sum()
        del out
        assert live.now == 40_004
        loss.backward()
    assert live.peak >= 80_004


def test_shapes_alone_give_the_same_count():
    def work():
        weight = torch.ones(64, 64, requires_grad=True)
        (weight @ weight).exp().sum().backward()

    with LiveBytes() as real:
        work()
    with FakeTensorMode(), LiveBytes() as fake:
        work()
    assert real.peak == fake.peak > 0


def test_a_step_grows_with_its_tokens_and_less_so_with_checkpointing(load, tiny_model):
    model = attach(load(tiny_model, "nf4").model, LORA).eval()
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    plain, twice = (footprint.measure(model, 0.2, checkpointing) for checkpointing in (False, True))
    assert twice.per_token < plain.per_token
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not model.training
    assert not any(p.grad is not None for p in model.parameters())
    assert plain.max_tokens(plain.bytes_for(1000)) == pytest.approx(1000, abs=1)


def test_gradients_of_weights_count_with_the_optimizer(load, tiny_model):
    adapted = footprint.measure(attach(load(tiny_model).model, LORA), 0.2)
    model = full.attach(load(tiny_model).model)
    kept = torch.ones_like(model.lm_head.weight)
    model.lm_head.weight.grad = kept
    whole = footprint.measure(model, 0.2)
    assert whole.per_token == pytest.approx(adapted.per_token, rel=0.3)
    assert whole.fixed < 4 * sum(p.numel() for p in model.parameters())
    assert model.lm_head.weight.grad is kept
    assert model.model.norm.weight.grad is None


def test_shapes_are_measured_on_a_machine_with_a_gpu_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with FakeTensorMode():
        assert footprint.peak_bytes(lambda: torch.zeros(1000), "cpu") == 4000


def test_more_target_tokens_take_more_memory(load, tiny_model):
    model = attach(load(tiny_model, "nf4").model, LORA)
    few, many = (footprint.measure(model, rate) for rate in (0.05, 0.5))
    # A target token holds at least its logits and their gradient, float32.
    least = 0.45 * 2 * 4 * model.config.vocab_size
    assert many.per_token - few.per_token > least
