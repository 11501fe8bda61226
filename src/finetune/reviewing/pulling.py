"""An experiment that is fetched from a Git remote, with what its run wrote."""

from pathlib import Path

from finetune.core.errors import UserError, squeezed


def pulled(root: Path, name: str, remote: str) -> tuple[str, str]:
    """Pull an experiment unless a revision of that name is here; its commit, and what was done.

    Raises:
        UserError: neither this repository nor the remote has it, or the remote cannot be reached.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.experiments.exceptions import UnresolvedExpNamesError
    from dvc.scm import RevError, SCMError, resolve_rev
    from scmrepo.exceptions import SCMError as GitError

    if not name:
        # DVC would take the workspace for it.
        raise UserError("review: an empty name of an experiment; a variable may not be set")
    with Repo(str(root)) as repo:
        try:
            return resolve_rev(repo.scm, name), "It is here already, so nothing was pulled."
        except (RevError, SCMError):
            pass
        try:
            repo.experiments.pull(remote, [name], pull_cache=True)
            commit = resolve_rev(repo.scm, name)
        except UnresolvedExpNamesError:
            raise UserError(
                f"{name}: neither here nor on the Git remote {remote}; `dvc exp list {remote} "
                "--all-commits` shows what is there, `finetune push` brings it there"
            ) from None
        except (DvcException, SCMError, GitError) as error:
            raise UserError(
                f"{name}: cannot be pulled from the Git remote {remote}: {squeezed(error)}; "
                "`git remote -v` and `dvc remote list` show what is set, --remote names another"
            ) from None
        # Without one DVC pulls the commit alone, and does not say so.
        stored = repo.config["core"].get("remote") or ", ".join(repo.config["remote"])
    if stored:
        return commit, f"Pulled from {remote}, its files from {stored}."
    return commit, (
        f"Its commit was pulled from {remote}; its files were not, since no DVC remote is set "
        "(`dvc remote add --default NAME URL`)."
    )
