"""Trackers beside DVCLive, with fakes for their packages."""

import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import integration_utils

from finetune.core.errors import ParamsError
from finetune.training import tracking
from finetune.training.tracking import Trackers

STATE, CONTROL = TrainerState(), TrainerControl()


class Recorder:
    """Stands for transformers' callback of a tracker; `calls` are those of all that were made."""

    calls: ClassVar[list[tuple]] = []
    broken: ClassVar[str] = ""

    def __init__(self):
        self.note("made")

    def note(self, event, *values):
        type(self).calls.append((event, *values))
        if type(self).broken == event:
            raise ConnectionError("no network\nat all")

    def on_train_begin(self, args, state, control, model=None, **rest):
        assert not rest
        self.note("begin", args.run_name, model)

    def on_log(self, args, state, control, logs=None, **rest):
        assert not rest
        self.note("log", dict(logs))
        logs.clear()  # what a tracker does with it stays with it

    def on_train_end(self, args, state, control, **rest):
        self.note("end")


@pytest.fixture
def recorder(monkeypatch):
    class Own(Recorder):
        calls: ClassVar[list[tuple]] = []

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "wandb", Own)
    return Own


@pytest.fixture
def run(tmp_path):
    """Plays a run of two logs to trackers; gives the environment that they saw."""

    def play(names=("wandb",), **set_by_user) -> dict[str, str]:
        variables = dict(set_by_user)
        trackers = Trackers(names, "bold-oath-price", tmp_path, variables)
        args = TrainingArguments(output_dir="state", report_to="none")
        logs = {"loss": 1.0}
        trackers.on_train_begin(args, STATE, CONTROL, model="the model")
        for _ in range(2):
            trackers.on_log(args, STATE, CONTROL, logs=logs, model="the model")
        trackers.on_train_end(args, STATE, CONTROL, model="the model")
        assert logs == {"loss": 1.0}
        return variables

    return play


def test_a_tracker_gets_the_run_s_name_and_logs_and_never_the_model(recorder, run):
    run()
    assert recorder.calls == [
        ("made",), ("begin", "bold-oath-price", None),
        ("log", {"loss": 1.0}), ("log", {"loss": 1.0}), ("end",),
    ]  # fmt: skip


@pytest.mark.parametrize("event", ["made", "begin", "log", "end"])
def test_a_tracker_that_fails_is_left_out_with_one_line_and_the_run_goes_on(
    recorder, run, caplog, event
):
    recorder.broken = event
    run()
    assert [call[0] for call in recorder.calls].count(event) == 1
    (line,) = caplog.messages
    assert line.startswith("run.report_to: wandb is left out from here on: no network")
    assert "\n" not in line


def test_a_resumed_run_is_the_same_run_of_the_tracker(recorder, run):
    first, resumed = run(), run()
    assert first["WANDB_RESUME"] == "allow"
    assert first["WANDB_RUN_ID"] == resumed["WANDB_RUN_ID"]
    assert first["TENSORBOARD_LOGGING_DIR"] == resumed["TENSORBOARD_LOGGING_DIR"]


def test_what_the_user_set_stays(recorder, run):
    variables = run(WANDB_PROJECT="mine", WANDB_RUN_ID="given", WANDB_MODE="offline")
    assert (variables["WANDB_PROJECT"], variables["WANDB_RUN_ID"]) == ("mine", "given")
    assert variables["WANDB_MODE"] == "offline"


def test_of_the_user_s_machine_nothing_is_logged(recorder, run):
    variables = run()
    assert variables.items() >= tracking.PRIVATE.items()


def test_files_of_trackers_go_to_the_main_repository(recorder, run, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", "/somewhere")
    variables = run()
    assert variables["WANDB_DIR"] == "/somewhere"
    assert variables["TENSORBOARD_LOGGING_DIR"].startswith("/somewhere/tensorboard/bold-oath-price")


def test_mlflow_s_run_is_found_again(recorder, run, monkeypatch):
    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "mlflow", recorder)
    info = SimpleNamespace(info=SimpleNamespace(run_id="abc"))
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(active_run=lambda: info))
    assert "MLFLOW_RUN_ID" not in run(["mlflow"])
    assert run(["mlflow"])["MLFLOW_RUN_ID"] == "abc"


def test_a_package_that_is_missing_is_one_line(monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    for name, package in (
        ("wandb", "wandb"),
        ("tensorboard", "tensorboard"),
        ("flyte", "flytekit"),
    ):
        with pytest.raises(ParamsError, match=f"needs the package {package}, .* pip install"):
            tracking.check([name])


def test_either_package_of_tensorboard_is_enough(monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: name == "tensorboardX" or None)
    tracking.check(["tensorboard"])


@pytest.mark.parametrize(
    ("name", "said"),
    [("dvclive", "always written"), ("wandbb", "'wandbb' is none of .*wandb"), ("all", "none of")],
)
def test_a_name_that_transformers_does_not_know_is_one_line(name, said):
    with pytest.raises(ParamsError, match=f"run.report_to: .*{said}"):
        tracking.check([name])


def test_without_trackers_there_is_nothing_to_check():
    tracking.check([])


def test_a_run_is_called_after_the_experiment_else_after_the_branch_or_the_commit(monkeypatch):
    said = {"branch": "feature/x", "rev-parse": "abc1234"}
    monkeypatch.setattr(tracking, "try_git", lambda root, command, *_: said[command])
    monkeypatch.setenv("DVC_EXP_NAME", "bold-oath")
    assert tracking.run_name("price") == "bold-oath-price"
    monkeypatch.delenv("DVC_EXP_NAME")
    assert tracking.run_name("price") == "feature-x-price"
    said["branch"] = ""  # a detached checkout, as a queue's
    assert tracking.run_name("price") == "abc1234-price"
