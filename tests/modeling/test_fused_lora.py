import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from finetune.core.schema import Lora
from finetune.methods import lora
from finetune.modeling import fused_lora
from finetune.training.dropout import use_row_dropout

LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")


def attached(load, folder, quantization="none", **changed):
    """A model in training mode with an adapter whose factors are both random."""
    base = load(folder, quantization)
    torch.manual_seed(0)
    model = lora.attach(base.model, LORA.model_copy(update=changed)).train()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return model


def step(model, dropout_keys=None):
    """Logits of two rows, and the gradients of their sum of squares."""
    if dropout_keys:
        dropout_keys.by_row, dropout_keys.lengths = [(1, 0, 0), (1, 0, 1)], [20, 12]
    logits = model(input_ids=torch.arange(40).view(2, 20)).logits
    logits.square().sum().backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return logits.detach(), gradients


def assert_close(one, other):
    """Forward passes are the same; backward, gradients of shared inputs are added up in turn."""
    assert torch.equal(one[0], other[0])
    assert one[1].keys() == other[1].keys()
    for name in one[1]:
        scale = other[1][name].abs().max()
        torch.testing.assert_close(one[1][name] / scale, other[1][name] / scale, rtol=0, atol=1e-5)


@pytest.mark.parametrize("quantization", ["none", "nf4", "int8"])
@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_a_model_computes_what_it_computes_with_pefts_layers(
    load, tiny_model, quantization, dropout
):
    model = attached(load, tiny_model, quantization, dropout=dropout)
    keys = use_row_dropout(model)
    before = step(model, keys)
    assert fused_lora.fuse(model, torch.float32) == 14
    assert_close(step(model, keys), before)


@pytest.mark.parametrize("shape", [(3, 5, 8), (7, 8)])
def test_inputs_of_any_shape_and_layers_with_biases_are_taken(shape):
    torch.manual_seed(0)
    config = LoraConfig(r=2, lora_alpha=4, target_modules=["0"], init_lora_weights=False)
    model = get_peft_model(nn.Sequential(nn.Linear(8, 6)), config)
    inputs = torch.randn(shape)

    def results():
        given = inputs.clone().requires_grad_()
        out = model(given)
        trained = [p for p in model.parameters() if p.requires_grad]
        return [out, *torch.autograd.grad(out.square().sum(), [given, *trained])]

    before = results()
    assert fused_lora.fuse(model, torch.float32) == 1
    for one, other in zip(results(), before, strict=True):
        torch.testing.assert_close(one, other)


def test_weights_that_do_not_fit_are_dequantized_in_each_pass(load, tiny_model, monkeypatch):
    model = attached(load, tiny_model, "nf4")
    before = step(model)
    monkeypatch.setattr(fused_lora, "least_available_on", lambda *_: 0)
    fused_lora.fuse(model, torch.float32)
    dequantized = []
    original = fused_lora.dequantize_4bit
    monkeypatch.setattr(
        fused_lora, "dequantize_4bit", lambda *given: dequantized.append(1) or original(*given)
    )
    assert_close(step(model), before)
    assert len(dequantized) == 2 * 14 - 3  # nobody asks for the gradient of the embeddings


def test_an_adapter_that_is_switched_off_or_merged_is_not_added_again(load, tiny_model):
    model = attached(load, tiny_model).eval()
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        tuned = model(input_ids=ids).logits
        with model.disable_adapter():
            base = model(input_ids=ids).logits
    fused_lora.fuse(model, torch.float32)
    with torch.inference_mode():
        assert torch.equal(model(input_ids=ids).logits, tuned)
        with model.disable_adapter():
            assert torch.equal(model(input_ids=ids).logits, base)
        model.merge_adapter()
        torch.testing.assert_close(model(input_ids=ids).logits, tuned, atol=1e-4, rtol=0)
        model.unmerge_adapter()
    assert not torch.allclose(tuned, base)


def test_layers_that_compute_otherwise_stay_as_they_are(load, tiny_model):
    assert fused_lora.fuse(attached(load, tiny_model, dora=True), torch.float32) == 0


def test_layers_with_trained_biases_or_of_other_shapes_stay_as_they_are():
    model = nn.Sequential(nn.Embedding(60, 8), nn.Linear(8, 8), nn.Linear(8, 8, bias=False))
    config = LoraConfig(r=2, target_modules=["0", "1", "2"], bias="all")
    assert fused_lora.fuse(get_peft_model(model, config), torch.float32) == 1


def test_a_model_of_16_bits_stays_pefts_and_no_weights_are_dequantized(
    load, tiny_model, monkeypatch
):
    monkeypatch.setattr(fused_lora, "dequantize_4bit", None)
    assert fused_lora.fuse(attached(load, tiny_model, "nf4"), torch.bfloat16) == 0


def test_in_another_type_than_it_was_told_a_layer_is_pefts(load, tiny_model):
    model = attached(load, tiny_model)
    with torch.autocast("cpu", torch.bfloat16):
        before = step(model)
        fused_lora.fuse(model, torch.float32)
        assert_close(step(model), before)


def test_another_adapter_than_the_fused_one_is_pefts(load, tiny_model):
    model = attached(load, tiny_model)
    model.add_adapter("other", LoraConfig(r=2, target_modules="all-linear", use_dora=True))
    fused_lora.fuse(model, torch.float32)
    fused = step(model)
    model.set_adapter("other")
    assert not torch.equal(step(model)[0], fused[0])
    model.base_model.set_adapter(["default", "other"])
    step(model)


@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_in_16_bits_it_errs_as_little_as_pefts(load, tiny_model, dropout):
    model = attached(load, tiny_model, dropout=dropout)
    keys = use_row_dropout(model)
    exact = step(model, keys)
    with torch.autocast("cpu", torch.bfloat16):
        pefts = step(model, keys)
        fused_lora.fuse(model, torch.bfloat16, in_16_bits=True)
        ours = step(model, keys)
    for name, gradient in ours[1].items():
        assert gradient.dtype == torch.float32
        errors = [(it[1][name] - exact[1][name]).norm() for it in (ours, pefts)]
        assert errors[0] < 1.2 * errors[1], name
