"""A run whose environment is full of keys writes none of them anywhere."""

import subprocess

import planted
import pytest
from pipeline_clone import Clone


@pytest.mark.slow
def test_no_key_is_in_anything_that_a_run_wrote(tmp_path_factory):
    folder = Clone.of_quick(tmp_path_factory).folder
    # What is searched: outs, DVC's cache and notes, lock, run state, commits of experiments.
    places = planted.holding(folder, "predictions_hash")
    assert f"{folder}/metrics/samsum/tuned.json" in places
    assert any(place.startswith("blob ") for place in places)
    rows = (folder / "predictions/samsum/tuned.jsonl").read_text()
    assert any("/.dvc/cache/" in place for place in planted.holding(folder, rows[:200]))
    assert planted.holding(folder, planted.MARK) == []


def test_a_key_that_was_written_is_found(tmp_path):
    def git(*words: str) -> None:
        who = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--quiet")
    key = planted.keys()["HF_TOKEN"]
    hidden = tmp_path / ".dvc/cache/files"
    hidden.mkdir(parents=True)
    (hidden / "ab").write_bytes(b"\x00" + key.encode())
    (tmp_path / "params.yaml").write_text(f"token: {key}")
    git("add", "params.yaml")
    git("commit", "--quiet", "-m", f"With {key}")
    (tmp_path / "params.yaml").write_text("token: null")
    git("commit", "--quiet", "-am", "Removed again")
    *files, one, other = planted.holding(tmp_path, planted.MARK)
    # The commit's message lies in Git's log of HEAD, too.
    assert str(hidden / "ab") in files
    assert {one.split()[0], other.split()[0]} == {"blob", "commit"}
