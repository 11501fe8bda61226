import pytest

from finetune.core.errors import UserError
from finetune.planning import machines


def test_a_gpu_is_planned_for_by_its_name():
    found = machines.of("h200", None)
    assert (found.device, found.free) == ("cuda", 140 * 10**9)
    assert found.flops == pytest.approx(0.3 * 989e12)
    assert "989 TFLOP/s" in found.assumption


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA A100-SXM4-40GB", 312),
        ("Tesla V100-SXM2-16GB", 125),
        ("Tesla T4", 65),
        ("NVIDIA H200", 989),
        ("NVIDIA GeForce RTX 4090", 165),
        ("NVIDIA GeForce GTX 1080", None),
    ],
)
def test_gpus_are_known_by_what_they_call_themselves(name, peak):
    assert machines._peak(name) == peak


def test_a_limit_counts_on_a_gpu_too():
    assert machines.of("h100", 20).free == 19 * 10**9


def test_an_unknown_gpu_is_told_with_those_that_are_known():
    with pytest.raises(UserError, match="--gpu: 'gtx' is not known; known: t4, v100"):
        machines.of("gtx", None)


def test_this_machine_is_measured(monkeypatch):
    monkeypatch.setattr(machines, "available", lambda limit: 5 * 10**9)
    monkeypatch.setattr(machines, "_matmul_flops", lambda: 100e9)
    found = machines.of(None, 8)
    assert (found.device, found.flops) == ("cpu", 60e9)
    # What this process holds is free for the run's own process.
    assert 5 * 10**9 < found.free < 8 * 10**9
    assert found.assumption == "60 % of the 100 GFLOP/s measured just now"
