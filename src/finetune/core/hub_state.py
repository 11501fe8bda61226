"""Revisions of a training run's state in a private repository of the hub, to resume from.

`run.hub` names the repository. Each save is a commit there, with a tag `NAME-step-N`, which stays;
the state itself is removed from the branch when the stage has ended well. It holds what the run
state holds: checkpoints, no texts and no credentials. A copy that fails warns once, and never ends
a run.
"""

import logging
import re
import shutil
from pathlib import Path
from typing import Any

from finetune.core import hub
from finetune.core.errors import squeezed
from finetune.core.files import replaced_folder

log = logging.getLogger(__name__)

CHECKPOINT = re.compile(r"checkpoint-(\d+)")


class HubState:
    """The copy of a run state in `repo`; `state` is the local folder, whose name the copy has."""

    def __init__(self, state: Path, repo: str) -> None:
        self.state, self.repo = state, repo
        self._has_warned = False
        self._is_ready = False
        self._pushed: set[str] = set()

    def push(self) -> None:
        """Commit the state as it is now, and tag the commit with its last step.

        Files of its own that are gone are removed; others may be of a run elsewhere, further on.
        """
        here = self._files()
        try:
            api = self._api()
            commit = api.upload_folder(
                repo_id=self.repo,
                folder_path=self.state,
                path_in_repo=self.state.name,
                delete_patterns=sorted(self._pushed - here) or None,
                commit_message=f"{self.state.name}: step {self.step()}",
            )
            self._pushed = here
            tag = f"{self.state.name}-step-{self.step()}"
            api.create_tag(self.repo, tag=tag, revision=commit.oid, exist_ok=True)
        except Exception as error:  # the client raises dozens of types, from three HTTP libraries
            self._warn("could not be copied to", error)

    def pull(self) -> None:
        """Fetch the state, if there is one in the repository and none here."""
        if self.state.exists():
            return
        from huggingface_hub import snapshot_download

        try:
            self._api()  # sees that the repository is private
            snapshot = snapshot_download(self.repo, allow_patterns=f"{self.state.name}/*")
            there = Path(snapshot) / self.state.name
            if not there.is_dir():
                return
            with replaced_folder(self.state) as folder:
                shutil.copytree(there, folder, dirs_exist_ok=True)
            self._pushed = self._files()
        except Exception as error:
            self._warn("could not be fetched from", error)
        else:
            log.info(f"{self.state.name}: fetched from {self.repo}, where another run left it")

    def end(self) -> None:
        """Remove the state from the branch, of a run that is done; its revisions stay."""
        name = self.state.name
        try:
            api = self._api()
            # A short run ends before it saves.
            if any(file.startswith(f"{name}/") for file in api.list_repo_files(self.repo)):
                api.delete_folder(name, self.repo, commit_message=f"{name}: done")
        except Exception as error:
            self._warn("could not be removed from", error)

    def step(self) -> int:
        """The optimizer steps of the last checkpoint; 0 before the first."""
        matches = [CHECKPOINT.fullmatch(entry.name) for entry in self.state.glob("*")]
        return max((int(match[1]) for match in matches if match), default=0)

    def _files(self) -> set[str]:
        files = (file for file in self.state.rglob("*") if file.is_file())
        return {file.relative_to(self.state).as_posix() for file in files}

    def _api(self) -> Any:
        """The client, of a repository that is there and private.

        Raises:
            PermissionError: it is public.
        """
        from huggingface_hub import HfApi

        api = HfApi()
        if not self._is_ready:
            api.create_repo(self.repo, private=True, exist_ok=True)
            if not api.repo_info(self.repo).private:
                raise PermissionError("the repository is public")
            self._is_ready = True
        return api

    def _warn(self, what: str, error: Exception) -> None:
        if not self._has_warned:
            why = hub.reason(error, self.repo, "model") or squeezed(error) or type(error).__name__
            log.warning(
                f"run.hub: {self.state.name} {what} {self.repo} ({why:.200}); the run goes on "
                "without"
            )
        self._has_warned = True
