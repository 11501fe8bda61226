import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from finetune.core import params
from finetune.core.errors import ModelError
from finetune.preflight import hardware
from finetune.training.budget import Budget

ROOT = Path(__file__).parents[2]


@pytest.fixture
def known():
    return params.read(ROOT / "params.yaml")


def plan(**more):
    return SimpleNamespace(
        **{"task": "samsum", "peak": 3e9, "budget": Budget(512), "advice": "x", "trainable": 10**6}
        | more
    )


@pytest.mark.parametrize(
    "name", ["qlora", "qlora_int8", "lora", "prefix", "full", "regression_head"]
)
def test_a_step_is_run_with_the_code_of_the_run(known, methods, name):
    ((found),) = hardware.step(ROOT, known.model_copy(update={"method": methods[name]}))
    assert found.state == "ok", str(found)
    words = methods[name].label
    assert f"a step of 10 rows with a base in float32 ({words}) on cpu" in found.what


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_a_step_needs_no_biases_of_the_embedded_base(known, methods, bias):
    lora = known.lora.model_copy(update={"bias": bias})
    asked = known.model_copy(update={"method": methods["lora"], "lora": lora})
    ((found),) = hardware.step(ROOT, asked)
    assert found.state == "ok", str(found)


def test_an_error_of_the_model_is_not_put_down_to_the_driver(known, monkeypatch):
    def broken(*_):
        raise ModelError("lora: does not fit")

    monkeypatch.setattr(hardware, "train", broken)
    ((found),) = hardware.step(ROOT, known)
    assert found.state == "fail"
    assert "lora: does not fit" in str(found)
    assert "driver" not in str(found)


def test_a_step_that_fails_is_one_line(known, monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: no kernel image\nis available for this GPU")

    monkeypatch.setattr(hardware, "train", lambda *_: broken())
    ((found),) = hardware.step(ROOT, known)
    assert found.state == "fail"
    assert "\n" not in str(found)
    assert "no kernel image is available" in found.what


def test_a_gpu_that_torch_does_not_see_fails(monkeypatch):
    cuda = SimpleNamespace(is_available=lambda: False)
    monkeypatch.setattr(hardware.torch, "cuda", cuda)
    monkeypatch.setattr(hardware, "_driver", lambda: "580.1")
    (found,) = hardware.gpu()
    assert found.state == "fail"
    assert "driver 580.1 is there" in found.what
    monkeypatch.setattr(hardware, "_driver", lambda: "")
    (found,) = hardware.gpu()
    assert found.state == "ok"


def test_a_gpu_without_bfloat16_or_with_others_on_it_is_told(monkeypatch):
    cuda = SimpleNamespace(
        is_available=lambda: True,
        get_device_name=lambda: "Tesla T4",
        mem_get_info=lambda: (4 * 10**9, 15 * 10**9),
        is_bf16_supported=lambda including_emulation: including_emulation,
    )
    monkeypatch.setattr(hardware.torch, "cuda", cuda)
    monkeypatch.setattr(hardware, "_driver", lambda: "580.1")
    said = [str(found) for found in hardware.gpu()]
    assert "Tesla T4, 15 GB, driver 580.1" in said[0]
    assert said[1].startswith("warning only 4.0 GB of it are free")
    assert "float16 and scales its loss" in said[2]


def test_the_plan_is_held_against_memory():
    found = list(hardware.memory([plan(), plan(budget=None)], free=4 * 10**9))
    assert [each.state for each in found] == ["ok", "fail"]
    assert "training takes 3.0 GB of 4.0 GB free" in found[0].what


def test_disk_counts_what_the_hub_sends(known, monkeypatch, tmp_path):
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 10**9))
    assert [f.state for f in hardware.disk(tmp_path, known, [plan()], 10**9)] == ["ok"]
    monkeypatch.setattr(hardware, "_is_cached", lambda _: False)
    model = known.model.model_copy(update={"source": "hub"})
    big = known.model_copy(update={"model": model})
    found = list(hardware.disk(tmp_path, big, [plan()], 8 * 10**9))
    assert "fail" in [each.state for each in found]
    assert sum(int(re.search(r"about (\d+) GB", str(each))[1]) for each in found) == 17
    monkeypatch.setattr(hardware, "_is_cached", lambda _: True)
    assert [f.state for f in hardware.disk(tmp_path, big, [plan()], 8 * 10**9)] == ["ok"]
