import signal
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file

from finetune.core import launch, processes
from finetune.core.errors import UserError
from finetune.core.interrupts import Interrupted, Interruption
from finetune.core.schema import Run

ROOT = Path(__file__).parents[2]
RUN = Run(
    token_budget="auto", eval_token_budget="auto", cache_gb="auto", memory_gb=None,
    save_minutes=60, push_state=False, logging_steps=None, usd_per_hour=None,
)  # fmt: skip
CONFIGS = {
    "fsdp_qlora": "FSDP", "deepspeed_zero2": "DEEPSPEED", "deepspeed_zero3": "DEEPSPEED",
}  # fmt: skip


@pytest.mark.parametrize(("name", "way"), CONFIGS.items())
def test_configs_of_accelerate_are_parsed_by_it_and_refused_until_they_are_run(name, way):
    config = load_config_from_file(str(ROOT / f"conf/accelerate/{name}.yaml"))
    assert config.distributed_type == way
    with pytest.raises(UserError, match=f"run.accelerate: nobody has run .*{name}.yaml yet"):
        launch.is_needed(RUN.model_copy(update={"accelerate": name}))


def test_the_configs_are_those_that_can_be_asked_for():
    assert {file.stem for file in (ROOT / "conf/accelerate").glob("*.yaml")} == set(CONFIGS)


def test_processes_are_started_where_they_are_asked_for_and_not_by_one_of_them(monkeypatch):
    assert not launch.is_needed(RUN)
    several = RUN.model_copy(update={"processes": 2})
    assert launch.is_needed(several)
    monkeypatch.setenv("FINETUNE_REPORTS", "folder")
    assert not launch.is_needed(several)


def test_what_another_launcher_started_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun sets it
    with pytest.raises(UserError, match="start a run without torchrun"):
        launch.is_needed(RUN)


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert launch._gpus(2) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert launch._gpus(1) == ["3"]
    with pytest.raises(UserError, match=r"run.processes: is 3, and 2 GPUs are to be seen"):
        launch._gpus(3)


def ended(tmp_path, exit_codes, number=None):
    interruption = Interruption()
    interruption.number = number
    launch._end(exit_codes, tmp_path, interruption, "train", "finetune: train@samsum")


LOST = processes.LOST


@pytest.mark.parametrize(
    ("exit_codes", "told"),
    [
        ({0: LOST, 1: -9}, "rank 1 was killed by SIGKILL: "),
        ({0: -9, 1: -15}, "rank 0 was killed by SIGKILL: "),
        ({0: -15, 1: -11}, "rank 1 was killed by SIGSEGV: "),
        ({0: LOST, 1: 1}, "rank 1 ended with exit code 1, what it said is above: "),
        ({0: -9, 1: 1}, "rank 1 ended with exit code 1, what it said is above: "),
        ({0: LOST, 1: -15}, "rank 0 cannot reach the others (no more is known): "),
    ],
)
def test_one_line_says_which_rank_died_and_how(tmp_path, capsys, exit_codes, told):
    with pytest.raises(SystemExit) as end:
        ended(tmp_path, exit_codes)
    assert end.value.code == launch.RANK_DIED
    said = capsys.readouterr().err
    assert said.startswith(f"finetune: train@samsum: {told}")
    assert said.count("\n") == 1
    assert ("run.token_budget" in said) == ("SIGKILL" in said)


def test_a_mistake_of_the_user_s_is_told_once_and_of_which_rank_if_not_of_the_main_one(tmp_path):
    (tmp_path / "0").write_text("no such model")
    (tmp_path / "1").write_text("no such model")
    with pytest.raises(UserError) as error:
        ended(tmp_path, {0: 2, 1: 2})
    assert str(error.value) == "no such model"
    for of_the_main_one in (LOST, -9):
        with pytest.raises(UserError, match="rank 1: no such model"):
            ended(tmp_path, {0: of_the_main_one, 1: 2})


def test_what_all_ranks_failed_at_is_told(tmp_path, capsys):
    (tmp_path / "0").write_text("Unable to find address for: eth9")
    with pytest.raises(SystemExit):
        ended(tmp_path, {0: LOST, 1: LOST})
    assert "rank 0 cannot reach the others (Unable to find address" in capsys.readouterr().err


def test_a_signal_ends_it_as_it_ends_one_process(tmp_path, capfd):
    (tmp_path / "0").write_text("saved after step 3 of 9; the same command resumes there")
    with pytest.raises(Interrupted, match="saved after step 3 of 9"):
        ended(tmp_path, {0: 130, 1: -15}, signal.SIGINT)
    with pytest.raises(SystemExit) as end:
        ended(tmp_path, {0: 130, 1: -15}, signal.SIGTERM)
    assert end.value.code == 143
    assert capfd.readouterr().err.startswith("finetune: saved after step 3 of 9")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt("saved"), 130, "saved"),
        (UserError("no such model"), 2, "no such model"),
        (MemoryError(), 2, "out of memory; set run.token_budget lower"),
    ],
)
def test_a_rank_leaves_what_its_parent_is_to_tell(tmp_path, monkeypatch, error, code, told):
    monkeypatch.setenv("FINETUNE_REPORTS", str(tmp_path))
    monkeypatch.setenv("FINETUNE_RANK", "1")
    with pytest.raises(SystemExit) as end, launch.reported("train"):
        raise error
    assert end.value.code == code
    assert (tmp_path / "1").read_text() == told


def test_a_bug_of_a_rank_is_not_hidden():
    with pytest.raises(ZeroDivisionError), launch.reported("train"):
        raise ZeroDivisionError


def test_a_signal_before_there_is_a_rank_ends_the_run_too(monkeypatch):
    def interrupted(*_: object) -> dict[int, int]:
        signal.raise_signal(signal.SIGINT)
        return {}  # as the ranks ended, which were never told

    monkeypatch.setattr(launch, "_run", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(Interrupted):
            launch.launch("train", "price", 2, "finetune")
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_empty_variable_of_a_launcher_is_none(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "")
    launch.check_launcher()


@pytest.mark.parametrize(
    ("exit_codes", "is_forgotten"),
    [({0: LOST, 1: 2}, True), ({0: LOST, 1: 1}, True), ({0: LOST, 1: -9}, False)],
)
def test_only_of_a_rank_that_was_killed_the_others_keep_their_note(
    monkeypatch, exit_codes, is_forgotten
):
    forgotten = []
    monkeypatch.setattr(launch, "_run", lambda *_: exit_codes)
    monkeypatch.setattr(launch.killed, "forget", lambda *which: forgotten.append(which))
    with pytest.raises(SystemExit):
        launch.launch("train", "price", 2, "finetune: train@price")
    assert forgotten == [("train", "price")] * is_forgotten
