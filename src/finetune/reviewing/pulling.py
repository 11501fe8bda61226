"""An experiment that is fetched from a Git remote, with what its run wrote."""

from pathlib import Path
from typing import Any

from finetune.cloud.pushing import explained
from finetune.core.errors import UserError, squeezed

MOST_NAMES = 3


def pulled(root: Path, name: str, remote: str) -> tuple[str, str]:
    """Pull an experiment unless a revision of that name is here; its commit, and what was done.

    Raises:
        UserError: neither this repository nor the remote has it, or a remote cannot be reached.
    """
    from dvc.repo import Repo
    from dvc.scm import RevError, SCMError, resolve_rev

    if not name:
        # DVC would take the workspace for it.
        raise UserError("review: an empty name of an experiment; a variable may not be set")
    with Repo(str(root)) as repo:
        try:
            return resolve_rev(repo.scm, name), "It is here already, so nothing was pulled."
        except (RevError, SCMError):
            pass
        commit = _pulled_commit(repo, name, remote)
        # Without one there is nothing to pull files from.
        stored = repo.config["core"].get("remote") or ", ".join(repo.config["remote"])
        if not stored:
            return commit, (
                f"Its commit was pulled from {remote}; its files were not, since no DVC remote is "
                "set (`dvc remote add --default NAME URL`)."
            )
        again = f"`dvc exp pull {remote} {name}` tries again"
        with explained(
            f"{name}: its commit was pulled from the Git remote {remote}, its files cannot be from "
            f"the DVC remote {stored} ({again} when its url and credentials are right)"
        ):
            repo.fetch(revs=[commit], workspace=False)
        missing = _missing(repo, commit)
    if missing:
        more = f" and {len(missing) - MOST_NAMES} more" if len(missing) > MOST_NAMES else ""
        return commit, (
            f"Pulled from {remote}; of what its run wrote these are neither here nor in the DVC "
            f"remote {stored}: {', '.join(missing[:MOST_NAMES])}{more} ({again})."
        )
    return commit, f"Pulled from {remote}, its files from {stored}."


def _pulled_commit(repo: Any, name: str, remote: str) -> str:
    """The commit of an experiment, fetched from a Git remote.

    Raises:
        UserError: the remote does not have it, or cannot be reached.
    """
    from dvc.exceptions import DvcException
    from dvc.repo.experiments.exceptions import UnresolvedExpNamesError
    from dvc.scm import SCMError, resolve_rev
    from scmrepo.exceptions import SCMError as GitError

    try:
        repo.experiments.pull(remote, [name], pull_cache=False)
        return str(resolve_rev(repo.scm, name))
    except UnresolvedExpNamesError:
        raise UserError(
            f"{name}: neither here nor on the Git remote {remote}; `dvc exp list {remote} "
            "--all-commits` shows what is there, `finetune push` brings it there"
        ) from None
    except (DvcException, SCMError, GitError) as error:
        raise UserError(
            f"{name}: cannot be pulled from the Git remote {remote}: {squeezed(error)}; "
            "`git remote -v` shows what is set, --remote names another"
        ) from None


def _missing(repo: Any, commit: str) -> list[str]:
    """The outs of a commit that DVC's cache lacks: DVC does not fail where its remote has none."""
    missing = []
    for _ in repo.brancher(revs=[commit], workspace=False, sha_only=True):
        missing += [
            str(out.def_path)
            for out in repo.index.outs
            if out.use_cache and out.hash_info and out.changed_cache()
        ]
    return missing
