"""`finetune push`: what has arrived is asked of both remotes, and what has not is one line."""

import shutil
import sys
from pathlib import Path

import pytest
from cloud_world import DVC, repository, run
from dvc.repo import Repo

from finetune.cloud import pushing
from finetune.core.errors import UserError
from finetune.core.remote_state import RemoteState

STAGES = """stages:
  work:
    cmd: mkdir out && echo 1 > out/a && echo 22 > out/b && echo 333 > whole
    outs: [out, whole]
"""
FILES = 4  # two of a folder, the folder's list, one of its own


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a repository in which the experiment `one` has run, and both of its remotes."""
    folder = tmp_path_factory.mktemp("made")
    here = repository(folder)
    run(here, *DVC, "remote", "add", "--quiet", "--default", "storage", str(folder / "storage"))
    (here / "dvc.yaml").write_text(STAGES)
    (here / ".gitignore").write_text("/out\n/whole\n/.runstate/\n")
    run(here, "git", "add", "-A")
    run(here, "git", "commit", "--quiet", "-m", "A stage")
    run(here, *DVC, "exp", "run", "--quiet", "--name", "one")
    return folder


@pytest.fixture
def world(made, tmp_path, monkeypatch) -> Path:
    """A copy of it, in whose repository the test is, with a storage that is empty."""
    folder = tmp_path / "world"
    shutil.copytree(made, folder, symlinks=True)
    storage = folder / "storage"
    storage.mkdir()
    config = folder / "here/.dvc/config"
    config.write_text(config.read_text().replace(str(made / "storage"), str(storage)))
    monkeypatch.chdir(folder / "here")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    return folder


def at_git(world: Path) -> list[str]:
    refs = run(world / "origin.git", "git", "for-each-ref", "--format=%(refname)", "refs/exps")
    return [ref.rpartition("/")[2] for ref in refs.splitlines()]


def stored(world: Path) -> list[Path]:
    return sorted(file for file in (world / "storage/files").rglob("*") if file.is_file())


def hook(world: Path, name: str, script: str) -> None:
    file = world / "origin.git/hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_an_experiment_arrives_at_both_remotes(world, capsys):
    assert pushing.run(Path(), ["one"], "origin") == 0
    said = capsys.readouterr().out
    assert said.startswith("one: ")
    assert f"is at origin, {FILES} files" in said
    assert at_git(world) == ["one"]
    assert len(stored(world)) == FILES
    assert pushing.run(Path(), ["one"], "origin") == 0  # again: nothing to do, and still there


@pytest.mark.parametrize("damage", ["gone", "truncated"])
def test_files_that_are_not_there_whole_are_missed_and_pushed_again(world, damage):
    pushing.run(Path(), ["one"], "origin")
    file = max(stored(world), key=lambda file: file.stat().st_size)
    before = file.read_bytes()
    file.chmod(0o644)
    file.unlink() if damage == "gone" else file.write_bytes(before[:-1])
    with Repo() as repo:
        hashes = pushing._hashes(repo, pushing.ref_of(Path(), "one")[1])
        missing = pushing._missing(repo, pushing._sizes(repo, hashes))
    assert missing == [f"{file.parent.name}{file.name}"]
    pushing.run(Path(), ["one"], "origin")
    assert file.read_bytes() == before


def test_what_dvc_pushes_elsewhere_is_pushed(world, made):
    """The remote of the experiment's commit is not the one of now."""
    said = run(world / "here", sys.executable, "-m", "dvc", "exp", "push", "origin", "one")
    assert "Pushed experiment one" in said
    assert stored(world) == []
    pushing.run(Path(), ["one"], "origin")
    assert len(stored(world)) == FILES
    shutil.rmtree(made / "storage", ignore_errors=True)


def test_a_storage_that_cannot_be_written_is_one_line_and_nothing_is_at_git(world):
    shutil.rmtree(world / "storage")
    (world / "storage").write_text("a file where a folder is expected")
    with pytest.raises(UserError, match=r"^one: not pushed: .*DVC's remote") as error:
        pushing.run(Path(), ["one"], "origin")
    assert "\n" not in str(error.value)
    assert "then push it again" in str(error.value)
    assert at_git(world) == []
    with pytest.raises(UserError, match="DVC's remote cannot be written: "):
        pushing.probe(Path(), "origin")


@pytest.mark.parametrize("lost", ["out", "whole"])
def test_an_experiment_whose_files_are_not_here_is_one_line(world, lost):
    with Repo() as repo:
        outs = {out.def_path: out for out in repo.index.outs}
        cache = outs[lost].cache
        Path(cache.oid_to_path(outs[lost].hash_info.value)).unlink()
    with pytest.raises(UserError, match=r"not pushed: .* is not in the cache: was it run here"):
        pushing.run(Path(), ["one"], "origin")
    assert at_git(world) == []


def test_a_file_of_a_folder_that_is_not_here_is_one_line(world):
    for file in (world / "here/.dvc/cache/files/md5").rglob("*"):
        if file.is_file() and file.read_bytes() == b"22\n":
            file.unlink()
    with pytest.raises(UserError, match=r"not pushed: .* is not in the cache: was it run here"):
        pushing.run(Path(), ["one"], "origin")


def test_without_a_dvc_remote_it_says_how_to_add_one(world):
    (world / "here/.dvc/config").write_text("")
    with pytest.raises(UserError, match="no DVC remote: `dvc remote add --default"):
        pushing.run(Path(), ["one"], "origin")
    with pytest.raises(UserError, match="no DVC remote: `dvc remote add --default"):
        pushing.probe(Path(), "origin")


def test_a_git_remote_that_refuses_is_one_line(world):
    hook(world, "pre-receive", "echo read-only; exit 1")
    with pytest.raises(UserError, match=r"not pushed: git push: .*read-only") as error:
        pushing.run(Path(), ["one"], "origin")
    assert "\n" not in str(error.value)
    assert len(stored(world)) == FILES


def test_a_git_remote_that_takes_it_and_does_not_have_it_is_noticed(world):
    hook(
        world,
        "post-receive",
        "git for-each-ref --format='delete %(refname)' | git update-ref --stdin",
    )
    with pytest.raises(UserError, match="not pushed: origin has nothing at refs/exps"):
        pushing.run(Path(), ["one"], "origin")


def test_a_git_remote_that_is_not_there_is_one_line(world):
    shutil.rmtree(world / "origin.git")
    with pytest.raises(UserError, match="origin cannot be written: git push: "):
        pushing.probe(Path(), "origin")


def test_an_unknown_experiment_is_one_line(world):
    with pytest.raises(UserError, match="two: no such experiment here"):
        pushing.run(Path(), ["two"], "origin")


def test_a_probe_leaves_nothing(world):
    assert pushing.probe(Path(), "origin") == 0
    assert at_git(world) == []
    assert [file for file in (world / "storage").rglob("*") if file.is_file()] == []


def test_run_states_are_kept_until_their_experiment_is_pushed(world, monkeypatch):
    for name in ("one", "two"):
        state = world / f"here/.runstate/train-{name}"
        state.mkdir(parents=True)
        (state / "budget").write_text("1")
        monkeypatch.setenv("DVC_EXP_NAME", name)
        RemoteState(state, is_kept=True).end()
    copies = world / "storage/runstate"
    assert {copy.name for copy in copies.iterdir()} == {"train-one", "train-two"}
    pushing.run(Path(), ["one"], "origin")
    assert {copy.name for copy in copies.iterdir() if any(copy.iterdir())} == {"train-two"}
    assert [note.name for note in (world / "here/.runstate").glob("*.kept")] == ["train-two.kept"]
