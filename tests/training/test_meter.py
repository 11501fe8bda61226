from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerControl, TrainerState

from finetune.training import meter
from finetune.training.examples import Step
from finetune.training.meter import Meter

EXAMPLES = [{"input_ids": [1] * 30, "labels": []}, {"input_ids": [1] * 70, "labels": []}]
STEPS = [Step(0, (0, 1)), Step(1, (1, 1))]


@pytest.fixture
def clock(monkeypatch):
    made = SimpleNamespace(now=100.0)
    monkeypatch.setattr(meter, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def step(measured: Meter, clock, number: int, seconds: float) -> None:
    measured.on_step_begin(None, TrainerState(global_step=number), TrainerControl())
    clock.now += seconds
    measured.on_step_end(None, TrainerState(global_step=number + 1), TrainerControl())


def test_speed_is_of_the_steps_since_the_last_point_without_evaluations(clock):
    measured = Meter(STEPS, EXAMPLES, None)
    step(measured, clock, 0, 2.0)
    clock.now += 60  # an evaluation
    point = measured.point([])
    assert point["tokens_per_second"] == 50
    assert point["memory_gb"] > 0
    assert "usd" not in point
    step(measured, clock, 1, 1.0)
    assert measured.point([])["tokens_per_second"] == 140


def test_cost_counts_all_time_and_goes_on_from_that_of_the_checkpoint(clock):
    measured = Meter(STEPS, EXAMPLES, usd_per_hour=3.6)
    step(measured, clock, 0, 10.0)
    clock.now += 90
    history = [{"step": 1, **measured.point([])}]
    assert history[0]["usd"] == pytest.approx(0.1)
    clock.now += 1000
    resumed = Meter(STEPS, EXAMPLES, usd_per_hour=3.6)
    clock.now += 100
    assert resumed.point(history)["usd"] == pytest.approx(0.2)


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 5 * 10**9)
    monkeypatch.setattr(torch.cuda, "utilization", lambda: 87)
    monkeypatch.setattr(torch.cuda, "power_draw", lambda: 351_250)


def test_on_a_gpu_its_utilization_power_and_memory_are_measured(clock, gpu):
    point = Meter(STEPS, EXAMPLES, None).point([])
    assert point["gpu_utilization_percent"] == 87.0
    assert point["gpu_power_watts"] == 351.2
    assert point["memory_gb"] == 5.0


def test_a_gpu_that_does_not_tell_is_said_once_and_ends_nothing(clock, gpu, monkeypatch, caplog):
    def refused():
        raise RuntimeError("NVML: not permitted")

    monkeypatch.setattr(torch.cuda, "utilization", refused)
    caplog.set_level("INFO")
    measured = Meter(STEPS, EXAMPLES, None)
    for _ in range(2):
        assert "gpu_power_watts" not in measured.point([])
    (line,) = caplog.messages
    assert line.endswith("NVML: not permitted")
