import os

import pytest
import yaml
from filelock import FileLock, Timeout

from finetune.core import runstate
from finetune.core.schema import WATCHED


def test_the_folder_is_under_the_main_repository_and_named_by_what_goes_in(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    first = runstate.folder("train", "samsum", {"lora": {"r": 8}})
    assert first.parent == tmp_path / ".runstate"
    assert first == runstate.folder("train", "samsum", {"lora": {"r": 8}})
    assert first != runstate.folder("train", "samsum", {"lora": {"r": 16}})
    assert first != runstate.folder("train", "price", {"lora": {"r": 8}})
    assert first.name.startswith("train-samsum-")
    assert first != runstate.folder("base", "samsum", {"lora": {"r": 8}})


def test_other_code_is_another_run(tmp_path):
    (tmp_path / "src/package").mkdir(parents=True)
    (tmp_path / "src/package/a.py").write_text("x = 1\n")
    (tmp_path / "src/b.py").write_text("")
    deps = ["src/package", "src/b.py", "data/prepared", "${model.watch}"]
    (tmp_path / "dvc.yaml").write_text(
        yaml.safe_dump({"stages": {"train": {"foreach": "x", "do": {"cmd": "x", "deps": deps}}}})
    )
    before = runstate.code_identity(tmp_path / "dvc.yaml", "train", "price")
    assert {"src/package/a.py", "src/b.py", "torch"} < before.keys()
    assert before == runstate.code_identity(tmp_path / "dvc.yaml", "train", "price")
    (tmp_path / "src/package/a.py").write_text("x = 2\n")
    assert before != runstate.code_identity(tmp_path / "dvc.yaml", "train", "price")


def test_a_state_is_locked_by_one_process_and_removed_after_success(tmp_path):
    folder = tmp_path / ".runstate" / "samsum-1"
    with runstate.locked(folder):
        folder.mkdir()
        with pytest.raises(Timeout), FileLock(folder.with_suffix(".lock"), timeout=0):
            pass
    assert not folder.exists()
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt), runstate.locked(folder):
        raise KeyboardInterrupt
    assert folder.exists()


@pytest.mark.parametrize("small", [2, 2**20])
def test_a_changed_file_changes_the_identity_of_a_folder(tmp_path, monkeypatch, small):
    monkeypatch.setattr(runstate, "MAX_HASHED_BYTES", small)
    (tmp_path / "weights").write_text("abc")
    before = runstate.file_identity(tmp_path)
    (tmp_path / "weights").write_text("abcd")
    assert runstate.file_identity(tmp_path) != before


@pytest.mark.parametrize("small", [2, 2**20])
def test_a_fresh_checkout_of_the_same_files_has_the_same_identity(tmp_path, monkeypatch, small):
    monkeypatch.setattr(runstate, "MAX_HASHED_BYTES", small)
    (tmp_path / "weights").write_text("abc")
    before = runstate.file_identity(tmp_path)
    os.utime(tmp_path / "weights", (1, 1))
    assert runstate.file_identity(tmp_path) == before


def test_of_large_files_blocks_from_the_first_to_the_last_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(runstate, "MAX_HASHED_BYTES", 2)
    monkeypatch.setattr(runstate, "BLOCK_BYTES", 4)
    content = bytearray(range(256)) * 8
    identities = set()
    for at in (None, 0, len(content) - 1):
        changed = bytearray(content)
        if at is not None:
            changed[at] ^= 1
        (tmp_path / "weights").write_bytes(changed)
        identities.add(str(runstate.file_identity(tmp_path)))
    assert len(identities) == 3


def test_what_a_selection_watches_is_part_of_the_code(tmp_path):
    for name in ("training/selection.py", "scoring/rouge.py"):
        file = tmp_path / "src/finetune" / name
        file.parent.mkdir(parents=True)
        file.write_text("")
    deps = ["src/finetune/training", "${item.train.selection.watch}"]
    file = tmp_path / "dvc.yaml"
    file.write_text(yaml.safe_dump({"stages": {"train": {"cmd": "x", "deps": deps}}}))

    def hashed(by: str) -> set[str]:
        watched = {"${item.train.selection.watch}": WATCHED[by]}
        return {k for k in runstate.code_identity(file, "train", "price", watched) if "/" in k}

    own = {"src/finetune/training/selection.py"}
    assert hashed("loss") == own
    assert hashed("score") == own | {"src/finetune/scoring/rouge.py"}
