import pytest
import torch
from bitsandbytes.nn import Linear8bitLt

from finetune.core.schema import Method, Model
from finetune.modeling import base

INT8 = Method(quantization="int8", double_quantization=False, compute_dtype="float32")
IDS = torch.arange(10, 40).view(3, 10)


@pytest.fixture
def models(tiny_model):
    """The same model in 8 bits, and with its weights dequantized once."""
    options = Model(name=str(tiny_model), source="local", revision=None, watch=str(tiny_model))
    return [base.load(options, INT8, flag).model for flag in (False, True)]


def test_linear_layers_are_quantized_and_the_head_is_not(models):
    assert isinstance(models[0].model.layers[0].mlp.up_proj, Linear8bitLt)
    assert models[0].model.layers[0].mlp.up_proj.weight.dtype == torch.int8
    assert not isinstance(models[0].lm_head, Linear8bitLt)
    assert type(models[1].model.layers[0].mlp.up_proj) is torch.nn.Linear
    assert {p.dtype for p in models[1].parameters()} == {torch.float32}


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_it_computes_what_inference_computes(models, training):
    one, other = (model.train(training)(input_ids=IDS).logits for model in models)
    assert torch.equal(one, other)


@torch.no_grad()
def test_a_row_does_not_depend_on_the_others(models):
    together = models[0](input_ids=IDS).logits
    alone = torch.cat([models[0](input_ids=row[None]).logits for row in IDS])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_gradients_of_inputs_are_those_of_the_dequantized_weights(models):
    grads = []
    for model in models:
        layer = model.model.layers[0].mlp.up_proj
        x = torch.ones(2, 3, 64, requires_grad=True)
        layer(x).square().sum().backward()
        grads.append(x.grad)
    assert torch.equal(*grads)


def test_weights_stay_as_they_were_loaded(models):
    before = {name: tensor.clone() for name, tensor in models[0].state_dict().items()}
    with torch.inference_mode():
        models[0](input_ids=IDS)
    after = models[0].state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
