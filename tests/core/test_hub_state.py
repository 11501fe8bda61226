"""Run states as revisions on the hub: what its client is asked for, by its own signatures."""

import contextlib
import shutil
from types import SimpleNamespace
from unittest.mock import create_autospec

import huggingface_hub
import pytest

from finetune.core import runstate

REPO = "owner/runs"


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".runstate/train-price-1"


@pytest.fixture
def api(monkeypatch, tmp_path, state):
    """A client that keeps the folders that it is given, as the hub's branch would."""
    kept = tmp_path / "hub"
    api = create_autospec(huggingface_hub.HfApi, instance=True)
    api.repo_info.return_value = SimpleNamespace(private=True)

    def upload(**given):
        shutil.rmtree(kept / given["path_in_repo"], ignore_errors=True)
        shutil.copytree(given["folder_path"], kept / given["path_in_repo"])
        return SimpleNamespace(oid="c0ffee")

    def delete(path_in_repo, *_, **__):
        shutil.rmtree(kept / path_in_repo)

    def download(repo, *, allow_patterns):
        assert (repo, allow_patterns) == (REPO, f"{state.name}/*")
        kept.mkdir(exist_ok=True)
        return str(kept)

    api.upload_folder.side_effect = upload
    api.delete_folder.side_effect = delete
    api.list_repo_files.side_effect = lambda _: [
        file.relative_to(kept).as_posix() for file in kept.rglob("*")
    ]
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return api


def save(state, step: int) -> None:
    folder = state / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_text(str(step))
    runstate.saved(state)


def killed_after(state, *steps: int) -> None:
    with contextlib.suppress(KeyboardInterrupt), runstate.locked(state, hub=REPO):
        for step in steps:
            save(state, step)
        raise KeyboardInterrupt


def test_a_run_resumes_from_its_last_revision(state, api):
    killed_after(state, 5, 10)
    api.create_repo.assert_called_once_with(REPO, private=True, exist_ok=True)
    tags = [call.kwargs["tag"] for call in api.create_tag.call_args_list]
    assert tags == ["train-price-1-step-5", "train-price-1-step-10"]
    shutil.rmtree(state)  # the machine is gone
    with runstate.locked(state, hub=REPO):
        assert (state / "checkpoint-10/weights").read_text() == "10"
        api.delete_folder.assert_not_called()
    assert not state.exists()
    assert api.delete_folder.call_args.args == ("train-price-1", REPO)


def test_a_public_repository_gets_nothing_and_ends_no_run(state, api, caplog):
    api.repo_info.return_value = SimpleNamespace(private=False)
    killed_after(state, 5, 10)
    api.upload_folder.assert_not_called()
    (record,) = [each for each in caplog.records if "run.hub" in each.message]
    assert "could not be fetched from owner/runs (the repository is public)" in record.message


def test_a_run_that_ends_before_it_saves_has_nothing_to_remove(state, api, caplog):
    with runstate.locked(state, hub=REPO):
        pass
    api.delete_folder.assert_not_called()
    assert not [each for each in caplog.records if "run.hub" in each.message]


def test_what_was_rotated_away_is_removed_and_nothing_of_a_run_elsewhere(state, api):
    with contextlib.suppress(KeyboardInterrupt), runstate.locked(state, hub=REPO):
        save(state, 5)
        shutil.rmtree(state / "checkpoint-5")
        save(state, 10)
        raise KeyboardInterrupt
    first, second = (call.kwargs["delete_patterns"] for call in api.upload_folder.call_args_list)
    assert (first, second) == (None, ["checkpoint-5/weights"])


def test_a_local_state_is_not_replaced(state, api):
    killed_after(state, 5)
    (state / "checkpoint-5/weights").write_text("newer")
    with runstate.locked(state, hub=REPO):
        assert (state / "checkpoint-5/weights").read_text() == "newer"
