import subprocess

import pytest

from finetune.core.errors import UserError
from finetune.core.git import git, try_git


def test_what_git_prints_comes_without_its_last_line_end(tmp_path):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "new").touch()
    # Blanks at the beginning say something in a short status.
    (tmp_path / "old").touch()
    git(tmp_path, "add", "old")
    (tmp_path / "old").write_text("changed")
    assert git(tmp_path, "status", "--short") == "AM old\n?? new"
    assert git(tmp_path, "ls-files", "-z") == "old\0"


def test_what_git_cannot_do_is_one_line_or_nothing(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"git rev-parse: fatal: not a git repository"):
        git(tmp_path, "rev-parse", "HEAD")
    assert try_git(tmp_path, "rev-parse", "HEAD") == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert try_git(tmp_path, "status") == ""
