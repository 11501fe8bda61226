"""Commits and access rights on the Hugging Face hub, and its errors as one-line messages.

Its client reads HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE from the environment when it is imported.
"""

from collections.abc import Iterator
from typing import Literal

from finetune.core.errors import HubError

RepoType = Literal["model", "dataset"]
# For interactive use: the client's own default is minutes.
TIMEOUT_SECONDS = 20


def current_commit(repo: str, repo_type: RepoType) -> str:
    """The full SHA of the current commit on the branch `main` of a repository.

    Raises:
        HubError: the hub cannot be reached, or the repository does not exist or is not
            visible to this account.
    """
    from huggingface_hub import HfApi

    try:
        sha = HfApi().repo_info(repo, repo_type=repo_type, timeout=TIMEOUT_SECONDS).sha
    except Exception as error:
        # The client raises dozens of types, from three HTTP libraries.
        raise HubError(reason(error, repo, repo_type) or f"{repo}: {one_line(error)}") from error
    if sha is None:
        raise HubError(f"{repo}: the hub names no commit of it")
    return sha


def refusal(repo: str, repo_type: RepoType) -> str | None:
    """Why this account cannot read a repository's files, in one line; None if it can."""
    from huggingface_hub import HfApi

    try:
        HfApi().auth_check(repo, repo_type=repo_type)
    except Exception as error:
        return reason(error, repo, repo_type) or f"{repo}: {one_line(error)}"
    return None


def reason(error: BaseException, repo: str, repo_type: RepoType) -> str | None:
    """The hub's part in an error, and what to do about it; None if the hub did not cause it."""
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{'datasets/' if repo_type == 'dataset' else ''}{repo}"
    for cause in _causes(error):
        match cause:
            case errors.GatedRepoError():
                token = "see that HF_TOKEN is of that account" if has_token() else "set HF_TOKEN"
                return f"{repo} is gated: accept its terms at {page}, then {token}"
            case errors.RevisionNotFoundError():
                pin = "model=NAME" if repo_type == "model" else "data=TASK"
                return f"{repo} has no such commit on the hub; `finetune pin {pin}` asks for one"
            case errors.RepositoryNotFoundError():
                token = "see that HF_TOKEN may read it" if has_token() else "set HF_TOKEN"
                return (
                    f"{repo}: no such {repo_type} on the hub, or it is private or gated; look at "
                    f"{page}, and {token}"
                )
            case errors.OfflineModeIsEnabled():
                return _offline(repo)
            case errors.LocalEntryNotFoundError() if constants.HF_HUB_OFFLINE:
                return _offline(repo)
            case errors.RemoteEntryNotFoundError():
                return None  # a missing file: only the caller knows what it is for
            case errors.HfHubHTTPError():
                if cause.response.status_code == 401:
                    return f"{repo}: the hub refuses HF_TOKEN; make a new one in the hub's settings"
                return (
                    f"{repo}: the hub answers with status {cause.response.status_code}; try later"
                )
            case errors.HTTPError() | errors.LocalEntryNotFoundError():
                return (
                    f"{repo}: the hub cannot be reached at {constants.ENDPOINT} "
                    f"({one_line(_root(cause))}); look at the network, or at HF_ENDPOINT"
                )
    return None


def _offline(repo: str) -> str:
    return f"{repo}: HF_HUB_OFFLINE is set, and this would have to come from the hub; unset it"


def has_token() -> bool:
    """Whether a token is set, in the environment or by `hf auth login`."""
    from huggingface_hub import get_token

    return get_token() is not None


def one_line(error: BaseException) -> str:
    """An error's type and message, truncated to 300 characters."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its chain of causes: libraries wrap the exceptions of the hub's client."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _root(error: BaseException) -> BaseException:
    *_, root = _causes(error)
    return root
