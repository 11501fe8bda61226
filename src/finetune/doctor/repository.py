"""A HEAD that a killed `dvc exp run` left detached, with the experiment's parameters in place."""

import re
from functools import partial
from pathlib import Path

from finetune.core.git import git, try_git
from finetune.doctor import locks
from finetune.doctor.finding import Finding

# DVC sets it while an experiment runs in the workspace, and then checks out EXEC_HEAD.
MARK = "refs/exps/exec/EXEC_BASELINE"
DETACHED_AT = "refs/exps/exec/EXEC_HEAD"
STASH = "finetune doctor: what a killed dvc exp run left"
# What `dvc exp run` changes; anything else is a person's own work.
OF_EXPERIMENTS = (
    "data/", "dvc.lock", "hardware/", "metrics/", "models/", "params.yaml", "predictions/",
    "reports/",
)  # fmt: skip


def find(root: Path) -> list[Finding]:
    """A detached HEAD, if the last checkout of all was DVC's, and no DVC runs."""
    if try_git(root, "symbolic-ref", "--quiet", "HEAD"):
        return []
    if not try_git(root, "rev-parse", "HEAD"):  # no commit yet
        return []
    branch = _left_by_dvc(root)
    if not branch or locks.running_dvc(root):
        return []
    if not try_git(root, "rev-parse", "--quiet", "--verify", f"refs/heads/{branch}"):
        return []
    changed, own = _changed(root), _own(root)
    saves = (f'git stash push --message "{STASH}"',) if changed else ()
    files = f", {len(changed)} changed files"
    files += f", your own {_listed(own)} among them" if own else " (parameters and outs)"
    return [
        Finding(
            f"HEAD is detached by a killed `dvc exp run`: it was on {branch}"
            f"{files if changed else ''}",
            (*saves, f"git switch {branch}", f"git update-ref -d {MARK}"),
            partial(_return_to, root, branch),
        )
    ]


def _left_by_dvc(root: Path) -> str:
    """What was checked out before DVC detached HEAD; empty if somebody else detached it."""
    head = try_git(root, "rev-parse", "--quiet", "--verify", DETACHED_AT)
    if not head or not try_git(root, "rev-parse", "--quiet", "--verify", MARK):
        return ""
    checkout = ("--grep-reflog=^checkout: ", "--max-count=1")
    newest = try_git(root, "log", "--walk-reflogs", *checkout, "--format=%gs", "HEAD")
    came = re.fullmatch(rf"checkout: moving from (.+) to {head}", newest)
    return came[1] if came else ""


def _return_to(root: Path, branch: str) -> str:
    """Put what is not committed into Git's stash, then switch to the branch."""
    remarks = []
    if git(root, "rev-list", "--max-count=1", f"{branch}..HEAD"):
        name = f"recovered-{try_git(root, 'rev-parse', '--short', 'HEAD')}"
        git(root, "branch", "--force", name, "HEAD")
        remarks.append(f"commits that {branch} lacks are on {name}")
    if _changed(root):
        own = _own(root)
        git(root, "stash", "push", "--message", STASH)
        remarks.append(
            "what was not committed is in `git stash show -p`: "
            + (
                f"`git checkout stash@{{0}} -- {' '.join(own)}` brings back your own"
                if own
                else "the experiment's alone, so `git stash drop` loses nothing of yours"
            )
        )
    git(root, "switch", branch)
    # Else a HEAD that a person detaches later would look like DVC's.
    git(root, "update-ref", "-d", MARK)
    return "; ".join(remarks)


def _changed(root: Path) -> list[str]:
    """Tracked files that differ from HEAD."""
    names = try_git(root, "diff", "--name-only", "-z", "HEAD").split("\0")
    return [name for name in names if name]


def _own(root: Path) -> list[str]:
    """Those of them that no experiment changes."""
    return [name for name in _changed(root) if not name.startswith(OF_EXPERIMENTS)]


def _listed(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
