"""Puts back the outs of a stage that stopped, as they were after the last good run.

DVC removes a stage's outs before it starts, unless they are `persist`; and those its run cache does
not know. So that a mistake or a Ctrl-C costs nothing, they come back from DVC's cache, or from the
last commit where they are Git's: whatever is not as dvc.lock has it.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from finetune.core.errors import EXIT_CODE, squeezed
from finetune.core.files import replaced_file, replaced_folder
from finetune.core.git import git, try_git

# What a run leaves in Git's files, of which `dvc checkout` then knows the outs.
UNDO = "git checkout params.yaml dvc.lock metrics reports && dvc checkout"


@contextlib.contextmanager
def outs_restored(address: str) -> Iterator[None]:
    """Put the outs of a stage back if the block is left by an exception.

    `address` is what DVC calls the stage, empty outside of DVC. What cannot be had is named in a
    line of its own; whatever goes wrong here, the exception is what is raised.
    """
    try:
        yield
    except BaseException:
        if address:
            _restore_or_tell(address.rpartition(":")[2])
        raise


def _restore_or_tell(stage: str) -> None:
    try:
        lost = _restore(stage)
    except Exception as error:  # of a damaged dvc.lock, say: never instead of the user's mistake
        lost = [f"its results ({squeezed(error)})"]
    if lost:
        print(
            f"finetune: {', '.join(lost)} of the last run could not be put back; `dvc checkout` "
            "and `git checkout metrics` may have it, or `dvc pull`",
            file=sys.stderr,
        )


@contextlib.contextmanager
def undoing_named() -> Iterator[None]:
    """Where a stage of `dvc exp run` ends by a mistake, tell how to undo the experiment.

    DVC leaves the experiment's params.yaml in place, which `dvc repro` and our commands then take.
    """
    try:
        yield
    except SystemExit as end:
        if end.code == EXIT_CODE and _is_experiment_here():
            print(
                "finetune: the experiment's parameters, and what its stages wrote so far, stay "
                f"here; back to the last commit: `{UNDO}`",
                file=sys.stderr,
            )
        raise


def _is_experiment_here() -> bool:
    """Whether this is an experiment in the workspace that has changed its parameters.

    Those of DVC's queue run in checkouts of their own.
    """
    baseline = os.environ.get("DVC_EXP_BASELINE_REV")
    if not baseline or Path(os.environ.get("DVC_ROOT", ".")).resolve() != Path.cwd():
        return False
    return bool(try_git(Path(), "diff", "--name-only", baseline, "--", "params.yaml"))


def _restore(stage: str) -> list[str]:
    """Restore the outs of a stage; the paths of those that neither cache nor Git has."""
    lock = Path("dvc.lock")
    locked = yaml.safe_load(lock.read_text(encoding="utf-8")) if lock.is_file() else {}
    outs = locked.get("stages", {}).get(stage, {}).get("outs", [])
    changed = [out for out in outs if _md5(Path(out["path"])) != out.get("md5")]
    if not changed:
        return []
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lost = []
    for out in changed:
        try:
            _restore_out(Path(done.stdout.strip()) / "files/md5", out)
        except (OSError, LookupError):
            lost.append(out["path"])
    return lost


def _restore_out(cache: Path, out: dict[str, Any]) -> None:
    path, md5 = Path(out["path"]), str(out["md5"])
    if not md5.endswith(".dir"):
        with replaced_file(path) as file:
            _put(cache, path, md5, file)
        return
    files = _listed(cache, md5) or _committed(path)
    if _folder_md5(files) != md5:
        raise LookupError(path)
    with replaced_folder(path) as folder:
        for name, md5_of_file in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _put(cache, path / name, md5_of_file, folder / name)


def _listed(cache: Path, md5: str) -> dict[str, str]:
    """The files of a folder in DVC's cache with their hashes; empty where it does not know it."""
    listed = cache / md5[:2] / md5[2:]
    entries = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else []
    return {entry["relpath"]: entry["md5"] for entry in entries}


def _committed(path: Path) -> dict[str, str]:
    """The files of a folder in the last commit with their hashes."""
    listed = git(Path(), "ls-tree", "-r", "-z", "--name-only", "HEAD", "--", path.as_posix())
    names = [Path(name) for name in listed.split("\0") if name]
    return {
        name.relative_to(path).as_posix(): hashlib.md5(_committed_file(name)).hexdigest()
        for name in names
    }


def _committed_file(path: Path) -> bytes:
    command = ["git", "show", f"HEAD:./{path.as_posix()}"]
    return subprocess.run(command, capture_output=True, check=False).stdout


def _put(cache: Path, path: Path, md5: str, target: Path) -> None:
    """Write a file as DVC's cache or the last commit has it.

    Raises:
        LookupError: neither has it.
    """
    cached = cache / md5[:2] / md5[2:]
    if cached.is_file():
        shutil.copyfile(cached, target)
        return
    content = _committed_file(path)
    if hashlib.md5(content).hexdigest() != md5:
        raise LookupError(path)
    target.write_bytes(content)


def _md5(path: Path) -> str | None:
    """The hash of a file or folder as DVC has it; None for what is not there."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return _folder_md5({f.relative_to(path).as_posix(): str(_md5(f)) for f in files})
    return None


def _folder_md5(files: dict[str, str]) -> str:
    """DVC's hash of a folder, from those of its files by their names within it."""
    entries = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"
