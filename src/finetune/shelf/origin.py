"""Where a run comes from: its code, packages, hashes, and the command that makes it again."""

import hashlib
import itertools
import platform
import re
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from finetune.comparing.sources import Source
from finetune.core import lock as lock_file
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.git import git
from finetune.shelf.about import Code, Packages, Stage

# What a run is made of; the rest of requirements.txt checks, draws and tests.
NEEDED = ("dvc", "torch", "transformers", "peft", "bitsandbytes", "numpy", "scipy", "rouge-score")


def code(root: Path, commit: str | None) -> Code:
    """The code of a commit, or of the workspace.

    The date is that of the commit, by no clock: shelving a run again gives the same files.

    Raises:
        UserError: there is no commit yet.
    """
    of_commit = _blobs(root, commit or "HEAD")
    blobs = of_commit if commit else _blobs_here(root)
    return Code(
        commit=git(root, "rev-parse", commit or "HEAD"),
        date=git(root, "show", "--no-patch", "--format=%cI", commit or "HEAD"),
        src=_hash(blobs),
        is_changed=blobs != of_commit,
    )


def _blobs(root: Path, commit: str) -> dict[str, str]:
    """Git's hash of each file below src/ at a commit."""
    listed = git(root, "ls-tree", "-r", "-z", commit, "--", "src")
    entries = (entry.split("\t", 1) for entry in listed.split("\0") if entry)
    return {path: about_it.split(" ")[2] for about_it, path in entries}


def _blobs_here(root: Path) -> dict[str, str]:
    """The same hashes of the tracked files as they lie here."""
    names = git(root, "ls-files", "-z", "--", "src").split("\0")
    blobs = {}
    for name in filter(None, names):
        if (root / name).is_file():
            data = (root / name).read_bytes()
            blobs[name] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return blobs


def _hash(blobs: dict[str, str]) -> str:
    text = "".join(f"{blob} {path}\n" for path, blob in sorted(blobs.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def command(root: Path, folder: Path, commit: str | None, params: Any) -> str:
    """What runs it again, in a checkout of its own beside this one, from the shelved parameters.

    An experiment is a commit that no clone has. Where its code is its parent's, that is named.
    `params` are those that are shelved. Where these lack the folders of a path, such as of
    `data.root`, DIR in the command stands for them. `-S data.root=DIR` would not do: DVC composes
    params.yaml from conf/ then, without what was copied.
    """
    named = git(root, "rev-parse", commit or "HEAD")
    if not git(root, "branch", "--all", "--contains", named):
        parent = git(root, "rev-parse", f"{named}^")
        if _blobs(root, parent) == _blobs(root, named):
            named = parent
    file = f"{paths.shelf() / folder.name}/params.yaml"
    edits = [f"-e {shlex.quote(_with_folders(each))}" for each in sorted(_reduced(params))]
    edit = f"sed -i {' '.join(edits)} params.yaml && " if edits else ""
    return (
        f"git worktree add ../{folder.name} {named[:12]} && cp {file} ../{folder.name}/ && "
        f"cd ../{folder.name} && {edit}dvc repro"
    )


def _reduced(node: Any) -> set[str]:
    """The values of parameters that are the last part of a path outside the repository."""
    if isinstance(node, dict):
        return {each for value in node.values() for each in _reduced(value)}
    if isinstance(node, list):
        return {each for value in node for each in _reduced(value)}
    is_reduced = isinstance(node, str) and node.startswith(paths.ELSEWHERE) and "\n" not in node
    return {node} if is_reduced else set()


def _with_folders(name: str) -> str:
    """sed's command that gives a reduced path at the end of a line its folders."""
    pattern = re.sub(r"([].[*^$\\|])", r"\\\1", name)
    given = re.sub(r"([&\\|])", r"\\\1", name.replace(paths.ELSEWHERE, "DIR/", 1))
    return f"s|{pattern}$|{given}|"


def packages(source: Source) -> Packages:
    """The packages of the workspace, or those that a revision pins."""
    if source.commit is None:
        versions = {name: _installed(name) for name in NEEDED}
        return Packages(
            known_as="installed",
            python=platform.python_version(),
            versions={name: each for name, each in versions.items() if each},
        )
    try:
        text = source.text("requirements.txt")
    except UserError:
        text = ""
    return Packages(known_as="pinned", python=None, versions=_pinned(text))


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _pinned(text: str) -> dict[str, str]:
    versions = {}
    for line in text.splitlines():
        try:
            required = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            continue
        if required.name in NEEDED:
            versions[required.name] = str(required.specifier).removeprefix("==")
    return versions


def stages(source: Source, shown: str) -> dict[str, Stage]:
    """What dvc.lock says of each stage."""
    locked = lock_file.stages(source.text("dvc.lock"), f"dvc.lock of {shown}")
    return {
        name: Stage(
            deps=_by_path(stage.get("deps", [])),
            outs=_by_path(stage.get("outs", [])),
        )
        for name, stage in locked.items()
    }


def _by_path(entries: list[dict[str, Any]]) -> dict[str, str]:
    """Hashes by published path; of outside paths of one name the k-th is called `NAME (k)`."""
    hashes: dict[str, str] = {}
    for each in entries:
        name = paths.without_folders(each["path"])
        count = itertools.count(2)
        key = name
        while key in hashes:
            key = f"{name} ({next(count)})"
        hashes[key] = str(each.get("md5"))
    return hashes


def md5(lock: dict[str, Any], stage: str, which: str, path: str) -> str | None:
    """The hash that dvc.lock has of a dep or out; None where it has none."""
    entries = lock.get(stage, {}).get(which, [])
    return next((each.get("md5") for each in entries if each["path"] == path), None)
