"""A small repository with Git and DVC, and the same with a shelf."""

import sys
from pathlib import Path

import pytest
from shelved_runs import call, save


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Path:
    """Tags `first`, `second` (its further seed) and `better`, which is the workspace too."""
    folder = tmp_path_factory.mktemp("repository")
    call(folder, "git", "init", "--quiet", "--initial-branch", "main")
    call(folder, "git", "config", "user.email", "test@example.com")
    call(folder, "git", "config", "user.name", "Test")
    call(folder, sys.executable, "-m", "dvc", "init", "--quiet")
    (folder / "src").mkdir()
    (folder / "src/code.py").write_text("pass\n")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    runs = {
        "first": (0, 1, {}),
        "second": (0.2, 2, {}),
        "better": (3, 1, {"lora__r": 64}),
    }
    for name, (gain, seed, changed) in runs.items():
        save(folder, gain, seed, **changed)
        call(folder, "git", "add", "-A")
        call(folder, "git", "commit", "--quiet", "-m", name)
        call(folder, "git", "tag", name)
    return folder


@pytest.fixture
def repository(saved, tmp_path) -> Path:
    """A copy of the repository in which a test may write."""
    folder = tmp_path / "clone"
    call(tmp_path, "git", "clone", "--quiet", str(saved), str(folder))
    return folder


@pytest.fixture(scope="session")
def shelved(saved, tmp_path_factory) -> Path:
    """The repository with results/first, second and better; not to be written to."""
    from finetune.shelf import writing

    folder = tmp_path_factory.mktemp("shelved") / "clone"
    call(folder.parent, "git", "clone", "--quiet", str(saved), str(folder))
    for name in ("first", "second", "better"):
        writing.shelve(folder, name, name)
    return folder
