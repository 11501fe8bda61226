import subprocess
import sys

import pytest

from finetune.preflight import software

DVC = [sys.executable, "-m", "dvc"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository of Git and DVC with pins that this environment satisfies."""
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.11"\n')
    (tmp_path / "requirements.txt").write_text("-e .\ntorch==1.0  # pinned\nnumpy==2.0\n")
    versions = {"torch": "1.0+cu130", "numpy": "2.0"}
    monkeypatch.setattr(software, "_version", versions.get)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "nobody"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "nobody"))
    for key in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"):
        monkeypatch.delenv(key, raising=False)
    for command in (["git", "init", "-q"], [*DVC, "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def states(findings) -> list[tuple[str, str]]:
    return [(finding.state, str(finding)) for finding in findings]


def test_pins_are_held_against_what_is_installed_builds_for_gpus_too(project, monkeypatch):
    assert [state for state, _ in states(software.python(project))] == ["ok", "ok"]
    monkeypatch.setattr(software, "_version", {"torch": "1.1"}.get)
    _, (state, line) = states(software.python(project))
    assert state == "fail"
    assert "torch is 1.1, pinned to 1.0; numpy is missing, pinned to 2.0" in line
    assert "make setup" in line


def test_a_python_that_is_too_old_fails(project):
    (project / "pyproject.toml").write_text('[project]\nrequires-python = ">=9"\n')
    (state, line), _ = states(software.python(project))
    assert state == "fail"
    assert line.endswith("this project needs >=9")


def test_git_must_know_a_name_and_a_changed_tree_is_said(project):
    (identity, said), (tree, changed) = states(software.git(project))
    assert (identity, tree) == ("fail", "warning")
    assert "git config --global user.name … and git config --global user.email …" in said
    assert "changed or new files" in changed
    for setting in (["user.name", "Eva"], ["user.email", "eva@example.com"]):
        subprocess.run(["git", "config", *setting], cwd=project, check=True)
    subprocess.run(["git", "add", "-A"], cwd=project, check=True)
    subprocess.run(["git", "commit", "-qm", "x"], cwd=project, check=True)
    assert [state for state, _ in states(software.git(project))] == ["ok", "ok"]


def test_the_remote_is_asked(project, tmp_path):
    ((state, line),) = states(software.remote(project))
    assert state == "warning"
    assert "dvc remote add" in line
    store = tmp_path / "store"
    store.mkdir()
    subprocess.run(
        [*DVC, "remote", "add", "-q", "-d", "there", str(store)], cwd=project, check=True
    )
    ((state, line),) = states(software.remote(project))
    assert state == "ok"
    assert "there" in line


def test_a_remote_that_does_not_answer_fails(project):
    add = [*DVC, "remote", "add", "-q", "-d", "far", "s3://bucket/none"]
    subprocess.run(add, cwd=project, check=True)
    ((state, line),) = states(software.remote(project))
    assert state == "fail"
    assert "\n" not in line
    assert "dvc-s3" in line


def test_a_tracker_that_is_not_installed_is_found_before_the_run():
    ((state, line),) = states(software.trackers(["swanlab"]))
    assert state == "fail"
    assert "pip install swanlab" in line
    assert not list(software.trackers([]))
