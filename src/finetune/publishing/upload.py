"""A folder into a repository of the hub, private unless said otherwise, and what arrived there."""

import glob
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.core import hub
from finetune.core.errors import HubError, UserError
from finetune.publishing.release import SUFFIXES


def upload(folder: Path, repo: str, is_public: bool, message: str) -> str:
    """Upload a folder's files, and check that they arrived; gives the page of the commit.

    Raises:
        UserError: the repository is public, and `is_public` is not set.
        HubError: there is no account, the hub refuses, or something else arrived.
    """
    from huggingface_hub import HfApi

    if not hub.has_token():
        raise HubError(f"{repo}: publishing needs an account; set HF_TOKEN (never in params)")
    api = HfApi()
    try:
        api.create_repo(repo, private=not is_public, exist_ok=True)
        if not is_public and not api.repo_info(repo).private:
            raise UserError(f"{repo}: is public; publish to a private one, or say --public")
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            commit_message=message,
            delete_patterns=_stale(api.list_repo_files(repo), folder) or None,
        )
        arrived = api.get_paths_info(
            repo, [file.name for file in sorted(folder.iterdir())], revision=commit.oid
        )
    except UserError:
        raise
    except Exception as error:  # the client raises dozens of types, from three HTTP libraries
        why = hub.reason(error, repo, "model") or f"{repo}: {hub.one_line(error)}"
        raise HubError(why) from error
    _check_arrived(folder, repo, {each.path: each for each in arrived})
    return str(commit.commit_url)


def _stale(there: Sequence[str], folder: Path) -> list[str]:
    """Patterns of files of an earlier form: two forms in one revision load as neither.

    Files of other kinds, and those in folders, are somebody else's.
    """
    names = (name for name in there if "/" not in name and Path(name).suffix in SUFFIXES)
    return [glob.escape(name) for name in names if not (folder / name).is_file()]


def _check_arrived(folder: Path, repo: str, arrived: dict[str, Any]) -> None:
    for file in sorted(folder.iterdir()):
        there = arrived.get(file.name)
        if there is None or there.size != file.stat().st_size or not _is_same(file, there):
            raise HubError(f"{repo}: {file.name} did not arrive as it is here; publish it again")


def _is_same(file: Path, there: Any) -> bool:
    """Whether the hub's hash of a large file is ours; small ones have none of this kind."""
    if getattr(there, "lfs", None) is None:
        return True
    with file.open("rb") as opened:
        ours = hashlib.file_digest(opened, "sha256").hexdigest()
    return bool(there.lfs.sha256 == ours)
