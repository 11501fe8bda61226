"""Real kills of a real DVC in a scratch repository, whose one stage sleeps."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from finetune.core.files import replaced_folder
from finetune.doctor import command, leftovers, locks, processes, queue, repository

DVC = [sys.executable, "-m", "dvc"]
PIPELINE = """
stages:
  sleep:
    cmd: sleep 40 && echo done > out
    params: [p]
    outs: [out]
"""


class Scratch:
    """A repository, and commands in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def call(self, *words: str) -> str:
        done = subprocess.run(words, cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout

    def git(self, *words: str) -> str:
        return self.call("git", *words).strip()

    def dvc(self, *words: str) -> str:
        return self.call(*DVC, *words)

    def start(self, *words: str) -> subprocess.Popen:
        """DVC in the background, when its stage has begun to sleep."""
        process = subprocess.Popen(
            [*DVC, *words], cwd=self.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.wait_for_stage()
        return process

    def wait_for_stage(self) -> None:
        deadline = time.monotonic() + 60
        while not self.stages():
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def stages(self) -> list[psutil.Process]:
        return [s.process for s in processes.every() if s.stage and s.dvc_root == str(self.root)]

    def kill_dvc(self) -> None:
        for pid in processes.running_dvc(self.root):
            os.kill(pid, signal.SIGKILL)
        while processes.running_dvc(self.root):
            time.sleep(0.1)

    def end_all(self) -> None:
        self.kill_dvc()
        for process in self.stages():
            with contextlib.suppress(psutil.Error):
                process.kill()


@pytest.fixture
def scratch(tmp_path):
    made = Scratch((tmp_path / "repository").resolve())
    made.root.mkdir()
    made.git("init", "--quiet", "--initial-branch", "main", ".")
    for key in ("user.name", "user.email"):
        made.git("config", key, "test@example.com")
    made.dvc("init", "--quiet")
    (made.root / "dvc.yaml").write_text(PIPELINE)
    (made.root / "params.yaml").write_text("p: 1\n")
    (made.root / "notes").write_text("committed\n")
    made.git("add", "-A")
    made.git("commit", "--quiet", "-m", "A pipeline")
    yield made
    made.end_all()


def test_nothing_left_behind(scratch, capsys):
    assert command.run(scratch.root, fix=False, days=30) == 0
    assert capsys.readouterr().out == "Nothing was left behind.\n"


def test_after_a_killed_experiment_the_branch_is_back_and_nothing_is_lost(scratch, capsys):
    (scratch.root / "notes").write_text("mine, not committed\n")
    running = scratch.start("exp", "run", "-S", "p=2")
    assert command.run(scratch.root, fix=True, days=30) == 0  # while it runs: nothing is touched
    assert f"DVC is running here (PID {running.pid})" in capsys.readouterr().out
    assert scratch.stages()
    scratch.kill_dvc()
    running.wait()

    assert command.run(scratch.root, fix=False, days=30) == 1
    said = capsys.readouterr().out
    pid = processes.orphans(scratch.root)[0].process.pid
    assert f"found stage sleep still runs (PID {pid})" in said
    assert f"      $ kill {pid}\n" in said
    assert f".dvc/tmp/rwlock: locked by PID {running.pid}" in said
    assert "HEAD is detached by a killed `dvc exp run`: it was on main, 2 changed files" in said
    assert "2 changed files, your own notes among them" in said
    assert "      $ git stash push --message" in said
    assert "      $ git switch main\n" in said

    assert command.run(scratch.root, fix=True, days=30) == 0
    said = capsys.readouterr().out
    assert "what was not committed is in `git stash show -p`" in said
    assert "`git checkout stash@{0} -- notes` brings back your own" in said
    assert not scratch.stages()
    assert scratch.git("branch", "--show-current") == "main"
    assert (scratch.root / "params.yaml").read_text() == "p: 1\n"
    assert "+mine, not committed" in scratch.git("stash", "show", "-p")
    assert "p: 2" in scratch.git("stash", "show", "-p")
    scratch.git("checkout", "stash@{0}", "--", "notes")
    assert (scratch.root / "notes").read_text() == "mine, not committed\n"
    scratch.git("checkout", "HEAD", "--", "notes")
    assert repository.MARK not in scratch.git("for-each-ref")
    assert command.run(scratch.root, fix=False, days=30) == 0


def test_a_dead_task_of_the_queue_is_failed_and_its_folder_removed(scratch, capsys):
    scratch.dvc("exp", "run", "--queue", "-S", "p=3", "-n", "three")
    # Not through a pipe: its worker would hold that open.
    scratch.start("queue", "start").wait()
    scratch.end_all()
    assert "Running" in scratch.dvc("queue", "status")

    assert command.run(scratch.root, fix=False, days=30) == 1
    said = capsys.readouterr().out
    assert "found queue: three stays Running, its worker is dead" in said
    assert "      $ dvc queue kill three\n      $ dvc queue remove three\n" in said
    assert "checkout of an experiment that was killed" in said

    assert command.run(scratch.root, fix=True, days=30) == 0
    assert "Failed" in scratch.dvc("queue", "status")
    assert not list((scratch.root / ".dvc/tmp/exps").glob("tmp*"))
    assert command.run(scratch.root, fix=False, days=30) == 0


def test_a_head_that_a_person_detached_is_left_alone(scratch):
    scratch.git("tag", "v1")
    scratch.git("switch", "--quiet", "--detach")
    assert repository.find(scratch.root) == []
    scratch.git("switch", "--quiet", "main")
    # As after a killed `dvc exp run` that was mended by hand.
    detach_as_dvc(scratch)
    scratch.git("switch", "--quiet", "main")
    for words in (["--detach", "v1"], ["--detach", "main"]):
        scratch.git("switch", "--quiet", *words)
        (scratch.root / "notes").write_text("mine, not committed\n")
        assert repository.find(scratch.root) == []


def detach_as_dvc(scratch) -> None:
    for name in (repository.MARK, repository.DETACHED_AT):
        scratch.git("update-ref", name, "HEAD")
    scratch.git("checkout", "--quiet", scratch.git("rev-parse", "HEAD"))


def test_commits_that_the_branch_lacks_stay_on_one_of_their_own(scratch):
    detach_as_dvc(scratch)
    scratch.git("update-ref", "--no-deref", "HEAD", commit(scratch))
    (finding,) = repository.find(scratch.root)
    remark = finding.fix()
    assert scratch.git("branch", "--show-current") == "main"
    name = scratch.git("branch", "--list", "recovered-*").split()[-1]
    assert f"commits that main lacks are on {name}" in remark


def commit(scratch) -> str:
    tree = scratch.git("rev-parse", "HEAD^{tree}")
    return scratch.git("commit-tree", "-p", "HEAD", "-m", "More", tree)


def test_a_stale_lock_of_a_pid_that_another_program_has_now(scratch, capsys):
    lock = scratch.root / ".dvc/tmp/rwlock"
    entry = {"pid": os.getpid(), "cmd": "dvc repro"}
    lock.write_text(json.dumps({"read": {}, "write": {"out": entry}}))
    assert command.run(scratch.root, fix=True, days=30) == 0
    assert "fixed .dvc/tmp/rwlock: locked by PID" in capsys.readouterr().out
    lock.write_text('{"read": {')
    assert command.run(scratch.root, fix=True, days=30) == 0
    assert "fixed .dvc/tmp/rwlock: damaged" in capsys.readouterr().out
    scratch.dvc("status")


@pytest.mark.parametrize(
    "program",
    [
        [sys.executable, "-u", "-m", "dvc", "repro"],
        [sys.executable, "-X", "utf8", "-I", "-m", "dvc", "repro"],
        [sys.executable, "-c", "from dvc.repo import Repo; Repo().reproduce()"],
        [sys.executable, "pipeline.py"],
    ],
    ids=["-u -m dvc", "-X -I -m dvc", "-c API", "API"],
)
def test_a_stage_whose_dvc_lives_is_left_alone(scratch, capsys, program):
    (scratch.root / "pipeline.py").write_text("from dvc.repo import Repo; Repo().reproduce()")
    with subprocess.Popen(program, cwd=scratch.root, stdout=subprocess.DEVNULL) as running:
        scratch.wait_for_stage()
        lock = (scratch.root / ".dvc/tmp/rwlock").read_text()
        assert command.run(scratch.root, fix=True, days=30) == 0
        assert f"DVC is running here (PID {running.pid})" in capsys.readouterr().out
        assert scratch.stages()
        assert (scratch.root / ".dvc/tmp/rwlock").read_text() == lock
        running.kill()
        running.wait()
        assert [orphan.stage for orphan in processes.orphans(scratch.root)] == ["sleep"]


def test_a_lock_of_another_users_dvc_is_kept(scratch, monkeypatch):
    def denied(process):
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "cmdline", denied)
    entry = {"pid": os.getpid(), "cmd": "dvc repro"}
    text = json.dumps({"read": {}, "write": {"out": entry}})
    (scratch.root / ".dvc/tmp/rwlock").write_text(text)
    assert locks.find(scratch.root) == []
    assert locks.running_dvc(scratch.root) == [os.getpid()]


def test_a_checkout_that_a_process_works_in_is_not_removed(scratch):
    folder = scratch.root / ".dvc/tmp/exps/standalone/tmpabc"
    folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], cwd=folder) as busy:
        assert queue.find_folders(scratch.root) == []
        busy.kill()
    assert len(queue.find_folders(scratch.root)) == 1


def test_what_a_killed_write_left_is_swept_and_a_renamed_folder_put_back(scratch, capsys):
    models = scratch.root / "models"
    (models / ".price.abc.partial").mkdir(parents=True)
    (models / ".samsum.abc.old.partial").mkdir()
    (models / ".samsum.abc.old.partial/weights").write_text("old")
    with replaced_folder(models / "busy"):
        assert len(leftovers.find_partial(scratch.root)) == 2
        assert command.run(scratch.root, fix=True, days=30) == 0
    assert "models/samsum was put back" in capsys.readouterr().out
    assert (models / "samsum/weights").read_text() == "old"
    assert sorted(path.name for path in models.iterdir()) == ["busy", "samsum"]


@pytest.mark.parametrize("folder", ["hardware/price", "results"])
def test_every_folder_that_outs_are_written_to_is_swept(scratch, folder):
    left = scratch.root / folder / ".out.abc.partial"
    left.mkdir(parents=True)
    assert command.run(scratch.root, fix=True, days=30) == 0
    assert not left.exists()


def test_run_states_are_kept_and_old_ones_go_if_days_are_given(scratch, capsys):
    young, old = (scratch.root / f".runstate/{n}-price-{'0' * 16}" for n in ("train", "base"))
    for folder in (young / "checkpoint-7", old):
        folder.mkdir(parents=True)
    os.utime(old, (1, 1))
    assert command.run(scratch.root, fix=True, days=None) == 0
    said = capsys.readouterr().out
    assert said.count("kept  .runstate/") == 2
    assert said.count("; `finetune doctor --fix --days 30` removes it") == 1
    assert old.exists()
    assert command.run(scratch.root, fix=False, days=30) == 1
    assert "run states of more days than --days are not" in capsys.readouterr().out
    assert command.run(scratch.root, fix=True, days=30) == 0
    said = capsys.readouterr().out
    assert "kept  .runstate/train-price-0000000000000000: checkpoint of step 7" in said
    assert "fixed .runstate/base-price-0000000000000000: not resumed from for" in said
    assert young.exists()
    assert not old.exists()
    shutil.rmtree(young)
    assert command.run(scratch.root, fix=False, days=30) == 0
