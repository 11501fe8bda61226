"""The hub's client: what it is asked for, held against its own signatures."""

import hashlib
from types import SimpleNamespace
from unittest.mock import create_autospec

import huggingface_hub
import pytest

from finetune.core import hub
from finetune.core.errors import HubError, UserError
from finetune.publishing.upload import upload

FILES = {"README.md": b"card", "adapter_model.safetensors": b"weights"}


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def api(monkeypatch):
    """The client's own methods, which call nobody and check their arguments."""
    api = create_autospec(huggingface_hub.HfApi, instance=True)
    api.repo_info.return_value = SimpleNamespace(private=True)
    api.list_repo_files.return_value = [".gitattributes", *FILES]
    api.upload_folder.return_value = SimpleNamespace(oid="c0ffee", commit_url="https://hub/c0ffee")
    api.get_paths_info.return_value = [there(name, content) for name, content in FILES.items()]
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    monkeypatch.setattr(hub, "has_token", lambda: True)
    return api


def there(name: str, content: bytes) -> SimpleNamespace:
    is_large = name.endswith(".safetensors")
    lfs = SimpleNamespace(sha256=hashlib.sha256(content).hexdigest()) if is_large else None
    return SimpleNamespace(path=name, size=len(content), lfs=lfs)


def test_a_repository_is_private_unless_said_otherwise(api, folder):
    assert upload(folder, "owner/name", is_public=False, message="m") == "https://hub/c0ffee"
    api.create_repo.assert_called_once_with("owner/name", private=True, exist_ok=True)
    api.upload_folder.assert_called_once_with(
        repo_id="owner/name", folder_path=folder, commit_message="m", delete_patterns=None
    )
    assert api.get_paths_info.call_args.kwargs == {"revision": "c0ffee"}
    upload(folder, "owner/name", is_public=True, message="m")
    assert api.create_repo.call_args.kwargs["private"] is False


def test_an_earlier_form_goes_and_what_is_somebody_elses_stays(api, folder):
    others = [".gitattributes", "photo.png", "train-price-1/checkpoint-5/model.safetensors"]
    api.list_repo_files.return_value = [*others, *FILES, "model[1].gguf", "tokenizer.json"]
    upload(folder, "owner/name", is_public=False, message="m")
    patterns = api.upload_folder.call_args.kwargs["delete_patterns"]
    gone = huggingface_hub.utils.filter_repo_objects(
        api.list_repo_files.return_value, allow_patterns=patterns
    )
    assert list(gone) == ["model[1].gguf", "tokenizer.json"]


def test_nothing_goes_to_a_public_repository_unasked(api, folder):
    api.repo_info.return_value = SimpleNamespace(private=False)
    with pytest.raises(UserError, match="owner/name: is public"):
        upload(folder, "owner/name", is_public=False, message="m")
    api.upload_folder.assert_not_called()


@pytest.mark.parametrize(
    "arrived",
    [
        [there("README.md", b"card")],
        [there("README.md", b"card"), there("adapter_model.safetensors", b"WEIGHTS")],
        [there("README.md", b"car"), there("adapter_model.safetensors", b"weights")],
    ],
)
def test_what_did_not_arrive_is_noticed(api, folder, arrived):
    api.get_paths_info.return_value = arrived
    with pytest.raises(HubError, match="did not arrive as it is here; publish it again"):
        upload(folder, "owner/name", is_public=False, message="m")


def test_errors_of_the_client_are_one_line(api, folder):
    api.create_repo.side_effect = RuntimeError("no\nroute")
    with pytest.raises(HubError, match="owner/name: RuntimeError: no route"):
        upload(folder, "owner/name", is_public=False, message="m")


def test_without_an_account_nothing_is_asked(api, folder, monkeypatch):
    monkeypatch.setattr(hub, "has_token", lambda: False)
    with pytest.raises(HubError, match="publishing needs an account; set HF_TOKEN"):
        upload(folder, "owner/name", is_public=False, message="m")
    api.create_repo.assert_not_called()
