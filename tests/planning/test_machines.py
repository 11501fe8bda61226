import pytest

from finetune.errors import UserError
from finetune.planning import machines


def test_a_gpu_is_planned_for_by_its_name():
    found = machines.of("h200", None)
    assert (found.device, found.free) == ("cuda", 140 * 10**9)
    assert found.flops == pytest.approx(0.3 * 989e12)
    assert "989 TFLOP/s" in found.assumption


def test_a_limit_counts_on_a_gpu_too():
    assert machines.of("h100", 20).free == 19 * 10**9


def test_an_unknown_gpu_is_told_with_those_that_are_known():
    with pytest.raises(UserError, match="--gpu: 'gtx' is not known; known: t4, v100"):
        machines.of("gtx", None)


def test_this_machine_is_measured(monkeypatch):
    monkeypatch.setattr(machines, "available", lambda limit: 5 * 10**9)
    monkeypatch.setattr(machines, "_multiplied", lambda: 100e9)
    found = machines.of(None, 8)
    assert (found.device, found.free, found.flops) == ("cpu", 5 * 10**9, 60e9)
    assert found.assumption == "60 % of the 100 GFLOP/s measured just now"
