import sys
from types import ModuleType

import pytest

from finetune.core.errors import ParamsError
from finetune.modeling import gpu_kernels


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.setattr(gpu_kernels, "device", lambda: "cuda")


@pytest.fixture
def installed(monkeypatch):
    """A package like Liger's, with kernels for Llama; gives what they were asked for."""
    asked = {}
    patches = ModuleType("liger_kernel.transformers.monkey_patch")
    patches.MODEL_TYPE_TO_APPLY_LIGER_FN = {"llama": lambda **given: asked.update(given)}
    for name in ("liger_kernel", "liger_kernel.transformers"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, patches.__name__, patches)
    return asked


def test_the_loss_stays_ours(load, tiny_model, on_gpu, installed):
    model = load(tiny_model).model
    gpu_kernels.use(model)
    assert installed == {
        "model": model, "rope": True, "rms_norm": True, "swiglu": True,
        "cross_entropy": False, "fused_linear_cross_entropy": False,
    }  # fmt: skip


def test_a_model_without_kernels_is_one_line(load, tiny_model, on_gpu, installed):
    model = load(tiny_model).model
    model.config.model_type = "gpt2"
    with pytest.raises(ParamsError, match=r"^run.gpu_kernels: Liger has none for gpt2"):
        gpu_kernels.use(model)


def test_without_the_package_it_says_what_to_install(load, tiny_model, on_gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "liger_kernel", None)
    with pytest.raises(ParamsError, match=r"pip install -r requirements-gpu\.txt"):
        gpu_kernels.use(load(tiny_model).model)


def test_without_a_gpu_it_is_refused(load, tiny_model):
    with pytest.raises(ParamsError, match="needs a GPU"):
        gpu_kernels.use(load(tiny_model).model)
