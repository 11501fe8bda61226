"""The queue on a box: a worker on each GPU, what has run is named, what failed is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from finetune.cloud import queue, sweeps
from finetune.core.errors import ParamsError

STAGES = """stages:
  work:
    cmd: test ${n} -ne 3 && echo ${n} $CUDA_VISIBLE_DEVICES > out
    params: [n]
    outs: [{out: {cache: false}}]
"""


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A repository with a stage that fails for n=3, and an origin that has experiment n-1."""
    here = tmp_path / "here"
    here.mkdir()
    dvc = (sys.executable, "-m", "dvc")
    run(tmp_path, "git", "init", "--quiet", "--bare", "origin.git")
    run(here, "git", "init", "--quiet")
    run(here, "git", "config", "user.name", "Test")
    run(here, "git", "config", "user.email", "test@example.com")
    run(here, "git", "remote", "add", "origin", "../origin.git")
    run(here, *dvc, "init", "--quiet")
    run(here, *dvc, "config", "core.analytics", "false")
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


def test_one_combination_keeps_its_name():
    assert sweeps.of("a", ["lora.r=8"]) == {"a": ["lora.r=8"]}


def test_what_is_no_override_is_one_line():
    with pytest.raises(ParamsError, match="-S: "):
        sweeps.of("a", ["lora.r"])
