"""Where Git has DVC's experiments."""

from pathlib import Path

from finetune.core.errors import UserError
from finetune.core.git import git


def own_ref(root: Path, name: str) -> str:
    """Where DVC has an experiment of this name that began at HEAD."""
    head = git(root, "rev-parse", "HEAD")
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"


def ref_of(root: Path, name: str) -> tuple[str, str]:
    """The reference of an experiment, and its commit; of several with this name, that of HEAD.

    Raises:
        UserError: there is none, or there are several and none of them is HEAD's.
    """
    lines = git(root, "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
    # refs/exps/ab/cdef…/NAME, where abcdef… is the commit that the experiment began at.
    refs = [line.split(" ") for line in lines if line.count("/") == 4]
    found = {ref: commit for ref, commit in refs if ref.rpartition("/")[2] == name}
    ours = own_ref(root, name)
    if ours in found:
        return ours, found[ours]
    if len(found) > 1:
        raise UserError(f"{name}: {len(found)} experiments of other commits have this name")
    for ref, commit in found.items():
        return ref, commit
    raise UserError(f"{name}: no such experiment here; `dvc exp list --all-commits` shows them")
