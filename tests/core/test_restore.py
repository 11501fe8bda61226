import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finetune.core.restore import UNDO, outs_restored, undoing_named

STAGES = {
    "stages": {
        "train@a": {
            "cmd": "false",
            "outs": ["model", {"metrics.json": {"cache": False}}, {"kept.txt": {"persist": True}}],
        }
    }
}


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A stage that has run once: its folder and files are in DVC's cache, one file is in Git."""
    monkeypatch.chdir(tmp_path)
    for command in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(command, check=True)
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": STAGES["stages"]["train@a"]}}))
    Path("model/inner").mkdir(parents=True)
    Path("model/inner/weights").write_text("weights")
    Path("model/config").write_text("config")
    Path("metrics.json").write_text("{}")
    Path("kept.txt").write_text("kept")
    subprocess.run([sys.executable, "-m", "dvc", "commit", "--force", "--quiet"], check=True)
    subprocess.run(["git", "add", "--all"], check=True)
    identity = ["-c", "user.email=test@example.com", "-c", "user.name=Test"]
    subprocess.run(["git", *identity, "commit", "--quiet", "-m", "A run"], check=True)
    return tmp_path


def remove_as_dvc_does() -> None:
    for file in ("model/inner/weights", "model/config", "metrics.json"):
        Path(file).unlink()
    Path("model/inner").rmdir()
    Path("model").rmdir()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_dvc_removed_comes_back_and_the_exception_is_raised(repository, error):
    remove_as_dvc_does()
    with pytest.raises(error), outs_restored("train"):
        raise error("stop")
    assert Path("model/inner/weights").read_text() == "weights"
    assert Path("model/config").read_text() == "config"
    assert Path("metrics.json").read_text() == "{}"


def test_what_the_stopped_stage_had_written_is_undone_so_that_no_mix_is_left(repository):
    remove_as_dvc_does()
    Path("metrics.json").write_text('{"new": 1}')
    Path("model").mkdir()
    Path("model/config").write_text("new")
    Path("kept.txt").write_text("new")
    with pytest.raises(ValueError, match="stop"), outs_restored("../dvc.yaml:train"):
        raise ValueError("stop")
    assert Path("metrics.json").read_text() == "{}"
    assert Path("model/config").read_text() == "config"
    assert Path("model/inner/weights").read_text() == "weights"
    assert Path("kept.txt").read_text() == "kept"


def test_without_a_cache_what_git_has_comes_back_and_the_rest_is_named(repository, capsys):
    remove_as_dvc_does()
    for file in Path(".dvc/cache").rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.unlink()
    with pytest.raises(ValueError, match="stop"), outs_restored("train"):
        raise ValueError("stop")
    assert Path("metrics.json").read_text() == "{}"
    assert not Path("model").exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("finetune: model of the last run could not be put back; `dvc checkout`")


def test_a_stage_that_ends_well_restores_nothing(repository):
    remove_as_dvc_does()
    with outs_restored("train"):
        pass
    assert not Path("model").exists()


@pytest.mark.parametrize("address", ["", "unknown", "train@other"])
def test_a_stage_that_has_not_run_has_nothing_to_restore(repository, address, capsys):
    remove_as_dvc_does()
    with pytest.raises(ValueError, match="stop"), outs_restored(address):
        raise ValueError("stop")
    assert not Path("model").exists()
    assert capsys.readouterr().err == ""


def test_a_damaged_lock_hides_neither_the_exception_nor_the_loss(repository, capsys):
    remove_as_dvc_does()
    Path("dvc.lock").write_text("stages: [")
    with pytest.raises(ValueError, match="stop"), outs_restored("train"):
        raise ValueError("stop")
    assert "its results (" in capsys.readouterr().err


def test_without_a_lock_the_exception_is_what_is_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="stop"), outs_restored("train"):
        raise ValueError("stop")


@pytest.mark.parametrize(
    ("code", "is_changed", "is_queued", "is_told"),
    [
        (2, True, False, True),
        (2, False, False, False),  # as `dvc exp run` without -S
        (2, True, True, False),  # in a checkout of its own
        (130, True, False, False),  # Ctrl-C: the same command resumes
    ],
)
def test_an_experiment_that_fails_says_how_to_undo_it(
    tmp_path, monkeypatch, capsys, code, is_changed, is_queued, is_told
):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    Path("params.yaml").write_text("r: 8")
    subprocess.run(["git", "add", "--all"], check=True)
    identity = ["-c", "user.email=test@example.com", "-c", "user.name=Test"]
    subprocess.run(["git", *identity, "commit", "--quiet", "-m", "A run"], check=True)
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "HEAD")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path.parent if is_queued else tmp_path))
    Path("params.yaml").write_text("r: 64" if is_changed else "r: 8")
    with pytest.raises(SystemExit), undoing_named():
        sys.exit(code)
    assert (f"back to the last commit: `{UNDO}`" in capsys.readouterr().err) == is_told


def test_a_stage_outside_of_experiments_has_nothing_to_undo(monkeypatch, capsys):
    monkeypatch.delenv("DVC_EXP_BASELINE_REV", raising=False)
    with pytest.raises(SystemExit), undoing_named():
        sys.exit(2)
    assert capsys.readouterr().err == ""
