import json
from types import SimpleNamespace

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from finetune.core import killed
from finetune.training import callbacks
from finetune.training.callbacks import EvaluationSchedule, Heartbeat, ProgressBar

ARGUMENTS = TrainingArguments.__new__(TrainingArguments)  # no callback reads it


@pytest.fixture
def clock(monkeypatch):
    """The seconds that `time.monotonic` returns: set `clock.now`."""
    made = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def at(step: int, steps: int = 10) -> TrainerState:
    return TrainerState(global_step=step, max_steps=steps)


def after_step(schedule: EvaluationSchedule, step: int) -> tuple[bool, bool]:
    """Whether the Trainer will evaluate, and save, after a step."""
    control = TrainerControl()
    schedule.on_step_end(ARGUMENTS, at(step), control)
    if control.should_save:
        schedule.on_save(ARGUMENTS, at(step), control)
    return control.should_evaluate, control.should_save


@pytest.mark.parametrize(
    ("steps", "num_evals", "expected"),
    [
        (10, 1, [10]),
        (10, 2, [5, 10]),
        (10, 3, [3, 7, 10]),
        (3, 5, [1, 2, 3]),  # no more often than there are steps
    ],
)
def test_evaluations_are_evenly_spaced_and_include_the_last_step(steps, num_evals, expected):
    schedule = EvaluationSchedule(steps, num_evals, save_minutes=60)
    decisions = {step: after_step(schedule, step) for step in range(1, steps + 1)}
    assert [step for step, (evaluate, _) in decisions.items() if evaluate] == expected
    assert [step for step, (_, save) in decisions.items() if save] == expected


def test_a_checkpoint_is_saved_once_the_minutes_since_the_last_one_have_passed(clock):
    schedule = EvaluationSchedule(steps=10, num_evals=1, save_minutes=2)
    clock.now += 119
    assert after_step(schedule, 1) == (False, False)
    clock.now += 1
    assert after_step(schedule, 2) == (False, True)
    assert after_step(schedule, 3) == (False, False)
    clock.now += 120
    assert after_step(schedule, 4) == (False, True)


def test_a_checkpoint_of_an_evaluation_counts_as_the_last_one(clock):
    schedule = EvaluationSchedule(steps=4, num_evals=2, save_minutes=2)
    clock.now += 100
    assert after_step(schedule, 2) == (True, True)
    clock.now += 100
    assert after_step(schedule, 3) == (False, False)


def test_a_checkpoint_may_be_saved_every_so_many_steps():
    schedule = EvaluationSchedule(steps=7, num_evals=1, save_minutes=60, save_steps=3)
    assert [step for step in range(1, 8) if after_step(schedule, step)[1]] == [3, 6, 7]


def test_what_the_trainer_decided_to_save_stays_decided():
    schedule = EvaluationSchedule(steps=10, num_evals=1, save_minutes=60)
    control = TrainerControl(should_save=True)
    schedule.on_step_end(ARGUMENTS, at(1), control)
    assert control.should_save


def test_the_note_of_a_running_stage_names_the_step_that_begins(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with killed.watched("train", "samsum"):
        Heartbeat().on_step_begin(ARGUMENTS, at(4), TrainerControl())
        (file,) = killed.folder().glob("*.json")
        note = json.loads(file.read_text(encoding="utf-8"))
    assert (note["step"], note["steps"]) == (5, 10)


class Bar:
    """Records the calls of a progress bar."""

    def __init__(self, items, what, unit, total):
        self.title, self.total, self.n, self.initial = what, total, 0, 0
        self.postfix, self.is_closed = {}, False

    def update(self, count):
        self.n += count

    def set_postfix(self, values, refresh):
        self.postfix = dict(values)

    def close(self):
        self.is_closed = True


@pytest.fixture
def progress(monkeypatch) -> ProgressBar:
    monkeypatch.setattr(callbacks, "bar", Bar)
    return ProgressBar("train samsum")


def test_the_progress_bar_follows_the_steps(progress):
    control = TrainerControl()
    progress.on_train_begin(ARGUMENTS, at(0), control)
    assert (progress.bar.title, progress.bar.total) == ("train samsum", 10)
    for step in (1, 2):
        progress.on_step_end(ARGUMENTS, at(step), control)
    assert progress.bar.n == 2
    progress.on_train_end(ARGUMENTS, at(2), control)
    assert progress.bar.is_closed


def test_a_resumed_progress_bar_starts_at_the_checkpoint_s_step(progress):
    progress.on_train_begin(ARGUMENTS, at(6), TrainerControl())
    assert (progress.bar.n, progress.bar.initial) == (6, 6)
    progress.on_step_end(ARGUMENTS, at(7), TrainerControl())
    assert progress.bar.n == 7


def test_the_progress_bar_shows_the_latest_losses(progress):
    control = TrainerControl()
    progress.on_train_begin(ARGUMENTS, at(0), control)
    progress.on_log(ARGUMENTS, at(1), control, {"loss": 2.34567, "learning_rate": 0.1})
    assert progress.bar.postfix == {"loss": "2.346"}
    progress.on_log(ARGUMENTS, at(1), control, {"eval_loss": 2.0})
    progress.on_log(ARGUMENTS, at(2), control, {"loss": 1.5})
    assert progress.bar.postfix == {"loss": "1.500", "validation": "2.000"}
