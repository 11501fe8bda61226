import os
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.checks import lockfile

COPY = "import pathlib as p; p.Path('{out}').write_text(p.Path('{dep}').read_text())"
STAGES = """
stages:
  first:
    cmd: python -c "import shutil; shutil.copy('text', 'out')"
    deps: [text]
    outs: [out]
  second:
    cmd: python -c "import shutil; shutil.copy('out', 'metric.json')"
    deps: [out]
    metrics: [metric.json: {cache: false}]
"""


def run(root: Path, *command: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=root, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Two stages that have run and are committed."""
    root = tmp_path_factory.mktemp("repository")
    for name, text in ((".dvc/config", ""), ("dvc.yaml", STAGES), ("text", '{"mae": 1}\n')):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    (root / ".dvc/.gitignore").write_text("/cache\n/tmp\n/config.local\n")
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "repro", "--quiet")
    run(root, "git", "add", "-A")
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    run(root, "git", *author, "commit", "--quiet", "-m", "A run")
    return root


def test_a_stage_that_is_gone_is_named(repository):
    lock = repository / "dvc.lock"
    before = lock.read_text()
    lock.write_text(before + "  ladder@samsum:\n    cmd: old\n")
    (problem,) = lockfile.problems(repository)
    lock.write_text(before)
    assert problem.startswith("dvc.lock: ladder@samsum: no such stage any more")


def test_a_committed_run_is_up_to_date_in_a_clone_without_its_outs(repository):
    assert lockfile.problems(repository) == []


@pytest.mark.parametrize(
    ("file", "text", "stage"),
    [
        ("text", '{"mae": 2}\n', "first"),  # not committed: the working tree counts
        ("metric.json", '{"mae": 0}\n', "second"),  # a metric that no run gave
    ],
)
def test_a_stage_that_would_run_again_is_named(repository, file, text, stage):
    before = (repository / file).read_text()
    (repository / file).write_text(text)
    try:
        (problem,) = lockfile.problems(repository)
    finally:
        (repository / file).write_text(before)
    assert problem.startswith(f"dvc.lock: {stage}")
    assert "run `dvc repro`" in problem


def test_files_that_git_does_not_know_yet_are_copied_and_ignored_ones_are_not(repository, tmp_path):
    new = repository / "new"
    new.write_text("new")
    try:
        lockfile.copy_working_tree(repository, tmp_path / "clone")
    finally:
        new.unlink()
    assert (tmp_path / "clone/new").read_text() == "new"
    assert not (tmp_path / "clone/out").exists()


def test_a_file_that_is_deleted_and_not_committed_is_deleted_in_the_copy(repository, tmp_path):
    text = (repository / "text").read_text()
    (repository / "text").unlink()
    try:
        lockfile.copy_working_tree(repository, tmp_path / "clone")
    finally:
        (repository / "text").write_text(text)
    assert not (tmp_path / "clone/text").exists()
