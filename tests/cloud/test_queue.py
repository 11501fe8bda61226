"""The queue on a box: a worker on each GPU, what has run is named, what failed is said."""

from pathlib import Path

import pytest
from cloud_world import repository, run

from finetune.cloud import queue, sweeps
from finetune.core.errors import ParamsError

STAGES = """stages:
  work:
    cmd: test ${n} -ne 3 && echo ${n} $CUDA_VISIBLE_DEVICES > out
    params: [n]
    outs: [{out: {cache: false}}]
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A repository with a stage that fails for n=3, and an origin that has experiment n-1."""
    here = repository(tmp_path)
    (here / "dvc.yaml").write_text(STAGES)
    (here / "params.yaml").write_text("n: 0\n")
    run(here, "git", "add", "-A")
    run(here, "git", "commit", "--quiet", "-m", "A stage")
    head = run(here, "git", "rev-parse", "HEAD")
    run(here, "git", "push", "--quiet", "origin", f"HEAD:refs/exps/{head[:2]}/{head[2:]}/n-1")
    monkeypatch.chdir(here)
    monkeypatch.setattr(queue, "POLL_SECONDS", 1.0)
    return here


@pytest.mark.slow
def test_what_has_not_arrived_is_run_by_a_worker_of_a_gpu(here, capfd):
    experiments = sweeps.of("n", ["n=1,2,3"])
    assert list(experiments) == ["n-1", "n-2", "n-3"]
    assert queue.run(Path(), experiments, ["5", "7"]) == 1
    said = capfd.readouterr()
    assert said.out == "n-2\n"
    assert "n-1 has arrived already: not run again" in said.err
    assert "n-3 failed: `dvc queue logs n-3` shows how" in said.err
    shown = run(here, "git", "for-each-ref", "--format=%(refname)", "refs/exps")
    refs = [ref for ref in shown.splitlines() if ref.count("/") == 4]
    outs = {ref.rpartition("/")[2]: run(here, "git", "show", f"{ref}:out") for ref in refs}
    assert list(outs) == ["n-2"]
    assert outs["n-2"] in ("2 5", "2 7")
    # What has run and was not pushed is named again, and not run again.
    assert queue.run(Path(), {"n-2": ["n=2"]}, [""]) == 0
    assert capfd.readouterr().out == "n-2\n"


class Queue:
    """DVC's queue, as what it says at each look; `commands` are what it was told."""

    def __init__(self, monkeypatch, looks: list[dict[str, str]], num_workers: int = 1) -> None:
        self.looks, self.commands, self.mended = looks, [], 0
        monkeypatch.setattr(queue, "POLL_SECONDS", 0.0)
        monkeypatch.setattr(queue, "git", lambda *_: "")
        monkeypatch.setattr(queue, "own_ref", lambda _, name: name)
        monkeypatch.setattr(queue, "_states", lambda _: self.looks.pop(0))
        monkeypatch.setattr(queue, "_workers", lambda _: num_workers)
        monkeypatch.setattr(queue, "_dvc", self._dvc)
        monkeypatch.setattr(queue.doctor_queue, "find", self._find)

    def _dvc(self, _: Path, *arguments: str, **__: str) -> None:
        self.commands.append(" ".join(arguments))

    def _find(self, _: Path) -> list:
        self.mended += 1
        return []

    def run(self) -> int:
        return queue.run(Path(), {"n-1": ["n=1"]}, [""])


@pytest.mark.parametrize("state", ["Queued", "Running"])
def test_what_is_in_the_queue_is_waited_for_and_not_queued_twice(monkeypatch, capsys, state):
    found = Queue(monkeypatch, [{"n-1": state}, {"n-1": "Running"}, {"n-1": "Success"}])
    assert found.run() == 0
    assert found.commands == ["queue start --jobs 1"]
    assert capsys.readouterr().out == "n-1\n"


def test_an_earlier_attempt_that_failed_is_not_taken_for_this_one(monkeypatch, capsys):
    found = Queue(monkeypatch, [{"n-1": "Failed"}, {"n-1": "Running"}, {"n-1": "Success"}])
    assert found.run() == 0
    assert found.commands[:2] == ["queue remove n-1", "exp run --queue --name n-1 -S n=1"]
    assert capsys.readouterr().out == "n-1\n"


def test_a_task_that_is_in_no_list_for_a_moment_has_not_failed(monkeypatch, capsys):
    nowhere: list[dict[str, str]] = [{}] * (queue.LOST_POLLS - 1)
    looks = [{}, {"n-1": "Queued"}, *nowhere, {"n-1": "Running"}, *nowhere, {"n-1": "Success"}]
    assert Queue(monkeypatch, looks).run() == 0
    assert Queue(monkeypatch, [{}, *[{}] * queue.LOST_POLLS]).run() == 1
    assert "n-1 failed" in capsys.readouterr().err


def test_without_a_worker_what_waits_is_started_again_and_what_ran_is_mended(monkeypatch):
    monkeypatch.setattr(queue, "START_SECONDS", 0.0)
    looks = [{}, {"n-1": "Queued"}, {"n-1": "Running"}, {"n-1": "Failed"}]
    found = Queue(monkeypatch, looks, num_workers=0)
    assert found.run() == 1
    assert found.commands[-1] == "queue start"
    assert found.mended == 2


def test_one_combination_keeps_its_name():
    assert sweeps.of("a", ["lora.r=8"]) == {"a": ["lora.r=8"]}


def test_what_is_no_override_is_one_line():
    with pytest.raises(ParamsError, match="-S: "):
        sweeps.of("a", ["lora.r"])
