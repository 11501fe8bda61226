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
    """A package like Liger's, with functions like its own; gives what they were asked for."""
    asked = {}

    def llama(
        rope=True, cross_entropy=False, fused_linear_cross_entropy=True, rms_norm=True,
        swiglu=True, model=None,
    ):  # fmt: skip
        asked.update(locals())

    def gemma(
        rope=True, cross_entropy=False, fused_linear_cross_entropy=True, rms_norm=True,
        geglu=True, model=None,
    ):  # fmt: skip
        asked.update(locals())

    def nemotron(rope=True, rms_norm=True, model=None):
        raise AssertionError

    patches = ModuleType("liger_kernel.transformers.monkey_patch")
    patches.MODEL_TYPE_TO_APPLY_LIGER_FN = {"llama": llama, "gemma": gemma, "nemotron": nemotron}
    for name in ("liger_kernel", "liger_kernel.transformers"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, patches.__name__, patches)
    return asked


@pytest.mark.parametrize(("kind", "gate"), [("llama", "swiglu"), ("gemma", "geglu")])
def test_the_loss_stays_ours(load, tiny_model, on_gpu, installed, kind, gate):
    model = load(tiny_model).model
    model.config.model_type = kind
    gpu_kernels.use(model)
    installed.pop("asked", None)
    assert installed == {
        "model": model, "rope": True, "rms_norm": True, gate: True,
        "cross_entropy": False, "fused_linear_cross_entropy": False,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["gpt2", "nemotron"])
def test_a_model_without_kernels_is_one_line(load, tiny_model, on_gpu, installed, kind):
    model = load(tiny_model).model
    model.config.model_type = kind
    with pytest.raises(ParamsError, match=f"^run.gpu_kernels: Liger has none for {kind}"):
        gpu_kernels.use(model)


def test_without_the_package_it_says_what_to_install(load, tiny_model, on_gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "liger_kernel", None)
    with pytest.raises(ParamsError, match=r"pip install -r requirements-gpu\.txt"):
        gpu_kernels.use(load(tiny_model).model)


def test_without_a_gpu_it_is_refused(load, tiny_model):
    with pytest.raises(ParamsError, match="needs a GPU"):
        gpu_kernels.use(load(tiny_model).model)
