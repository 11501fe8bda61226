import os
from types import SimpleNamespace

import pytest
import torch

from finetune.core.errors import ParamsError
from finetune.core.schema import Lora, Method
from finetune.methods.lora import attach
from finetune.modeling import precision
from finetune.modeling.head import head_at
from finetune.training.losses import cross_entropy

LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")


def method(compute_dtype: str) -> Method:
    return Method(quantization="none", double_quantization=False, compute_dtype=compute_dtype)


@pytest.mark.parametrize(
    ("has_bfloat16", "expected"), [(True, torch.bfloat16), (False, torch.float16)]
)
def test_a_gpu_without_bfloat16_computes_in_float16(monkeypatch, has_bfloat16, expected):
    cuda = SimpleNamespace(
        is_available=lambda: True,
        # Asked without this, torch counts a T4's emulation, which is slower than float32.
        is_bf16_supported=lambda including_emulation: has_bfloat16 or including_emulation,
    )
    monkeypatch.setattr(precision.torch, "cuda", cuda)
    assert precision.compute_dtype(method("auto")) == expected
    assert precision.compute_dtype(method("float16")) == torch.float16


def test_a_cpu_computes_in_float32_and_float16_is_refused(monkeypatch):
    monkeypatch.setattr(precision.torch, "cuda", SimpleNamespace(is_available=lambda: False))
    assert precision.compute_dtype(method("auto")) == torch.float32
    with pytest.raises(ParamsError, match="float16 needs a GPU"):
        precision.compute_dtype(method("float16"))


@pytest.fixture
def narrow(load, tiny_model):
    """A base in bfloat16 under an adapter whose second half is not zero, as after training."""
    model = attach(load(tiny_model).model.to(torch.bfloat16), LORA)
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
        if "lora" in name:
            parameter.data = parameter.data.float()
    return model


IDS = torch.tensor([[5, 6, 7, 8]])


def test_training_and_inference_compute_the_adapter_alike(narrow):
    narrow.train()
    position = torch.tensor([[0], [3]])
    with precision.autocast(narrow, torch.bfloat16), head_at(narrow, position):
        trained = narrow(input_ids=IDS).logits[0]
    narrow.eval()
    with torch.inference_mode(), precision.autocast(narrow, torch.bfloat16):
        predicted = narrow(input_ids=IDS, logits_to_keep=1).logits[0, -1]
    assert torch.equal(trained, predicted)


def test_layers_of_an_adapter_read_their_input_as_it_is(narrow):
    seen = set()
    layer = narrow.base_model.model.model.layers[0].mlp.up_proj.lora_A["default"]
    layer.register_forward_pre_hook(lambda _, given: seen.add(given[0].dtype))
    with torch.inference_mode(), precision.autocast(narrow, torch.bfloat16):
        narrow(input_ids=IDS)
    assert seen == {torch.bfloat16}


def test_gradients_in_bfloat16_are_finite_and_of_full_width(narrow):
    narrow.train()
    position = torch.tensor([[0, 0], [2, 3]])
    with precision.autocast(narrow, torch.bfloat16), head_at(narrow, position):
        logits = narrow(input_ids=IDS).logits
    cross_entropy(logits, torch.tensor([8, 9])).backward()
    gradients = [p.grad for p in narrow.parameters() if p.requires_grad]
    assert {g.dtype for g in gradients} == {torch.float32}
    assert all(g.isfinite().all() for g in gradients)


def test_cudnn_attention_is_off_once_a_model_is_loaded(load, tiny_model):
    torch.backends.cuda.enable_cudnn_sdp(True)
    load(tiny_model)
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_deterministic_kernels_are_asked_for_before_anything_is_computed(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    try:
        precision.use_deterministic_kernels()
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(False)
