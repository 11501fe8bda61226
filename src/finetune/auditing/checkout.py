"""A revision in a temporary folder: its files in Git, and what its pipeline wrote."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finetune.comparing import sources
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import write_text
from finetune.core.git import git
from finetune.core.params import read_yaml

# What a revision's own settings of the machine may not do here: copy its state to a remote, or
# need what this machine lacks.
RUN = {"push_state": False, "processes": 1, "engine": "builtin", "report_to": []}


@dataclass(frozen=True)
class Checkout:
    """The files of a revision below `root`; `missing` are outs that are in no cache and remote."""

    name: str
    commit: str
    root: Path
    params: dict[str, Any]
    tasks: tuple[str, ...]
    missing: tuple[str, ...]

    def run(self, *stage: str) -> None:
        """Run a stage by the revision's own code, as `python -m finetune.stages.STAGE TASK` does.

        Raises:
            UserError: it failed; its own line stands above.
        """
        ours = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
        done = subprocess.run(
            # Nothing but src/ and what is installed is imported: not what else the revision holds.
            [sys.executable, "-P", "-m", f"finetune.stages.{stage[0]}", *stage[1:]],
            cwd=self.root,
            env={**ours, "PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,  # what there is to say goes to stderr
            check=False,
        )
        if done.returncode:
            raise UserError(
                f"{self.name}: its stage `{' '.join(stage)}` ended with {done.returncode}, so "
                "nothing can be said of what it computes"
            )


@contextlib.contextmanager
def of(root: Path, name: str, task: str | None) -> Iterator[Checkout]:
    """A revision with the outs of one task or of all, in a folder that is removed afterwards.

    Raises:
        UserError: there is no such revision or task, or what it wrote is not to be had.
    """
    if not name:
        raise UserError("audit: an empty name of a revision; a variable may not be set")
    commit = sources.revision(root, name).commit
    assert commit is not None
    with tempfile.TemporaryDirectory(prefix="finetune-audit-") as folder:
        there = Path(folder) / "repository"
        # Git's objects stay where they are.
        git(root, "clone", "--quiet", "--shared", "--no-checkout", str(root.resolve()), str(there))
        git(there, "checkout", "--quiet", "--detach", commit)
        params, lock = (_read(there / file, name) for file in ("params.yaml", "dvc.lock"))
        tasks = _tasks(name, params, lock, task)
        _link_base(root, name, there, params)
        missing = _get_outs(root, commit, there, _outs(lock, tasks))
        _check_complete(name, tasks, missing)
        yield Checkout(name, commit, there, params, tasks, missing)


def _read(file: Path, name: str) -> dict[str, Any]:
    if not file.is_file():
        raise UserError(f"{name}: that revision has no {file.name}; was `dvc repro` run for it?")
    return read_yaml(file.read_text(encoding="utf-8"), f"{file.name} of {name}")


def _tasks(
    name: str, params: dict[str, Any], lock: dict[str, Any], task: str | None
) -> tuple[str, ...]:
    known = tuple(params.get("tasks", {}))
    if task is not None and task not in known:
        raise UserError(f"{name}: no task {task!r}; known: {', '.join(known)}")
    tasks = known if task is None else (task,)
    for each in tasks:
        if f"evaluate@{each}" not in lock.get("stages", {}):
            raise UserError(f"{name}: {each} was not run to its end there; `dvc repro` does it")
    return tasks


def _outs(lock: dict[str, Any], tasks: Sequence[str]) -> list[str]:
    """What the stages of these tasks wrote, and the report."""
    return [
        out["path"]
        for stage, entry in lock["stages"].items()
        for out in entry.get("outs", [])
        if is_of(stage, tasks)
    ]


def is_of(stage: str, tasks: Sequence[str]) -> bool:
    """Whether a stage belongs to one of the tasks, or to all."""
    return stage.partition("@")[2] in tasks or stage == "report"


def _get_outs(root: Path, commit: str, there: Path, outs: Sequence[str]) -> tuple[str, ...]:
    """Copy outs from DVC's cache, or else its remote; returns those that are in neither."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    files = DVCFileSystem(url=str(root.resolve()), rev=commit)
    missing = []
    for path in outs:
        target = there / path
        if target.exists():  # in Git
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            files.get(path, str(target), recursive=files.isdir(path))
        except (DvcException, DataIndexDirError, OSError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise
            missing.append(path)
            # A folder of which a part came is none.
            if target.is_dir():
                shutil.rmtree(target)
            target.unlink(missing_ok=True)
    return tuple(missing)


def _check_complete(name: str, tasks: Sequence[str], missing: Sequence[str]) -> None:
    """Check that there is what the stages read that are run again.

    Raises:
        UserError: there is not.
    """
    for task in tasks:
        for path in missing:
            if path in read_by_stages(task):
                raise UserError(
                    f"{name}: {path} is in no cache here and in no remote; `finetune review {name}`"
                    f" or `dvc exp pull origin {name}` gets what an experiment wrote, `dvc fetch "
                    "--all-commits` that of a branch"
                )


def read_by_stages(task: str) -> list[str]:
    """What `evaluate` and `predict` read of what other stages wrote, and what they wrote."""
    read = [paths.prepared(task), paths.adapter(task)]
    for split in ("validation", "test"):
        read += [paths.predictions(task, each, split) for each in ("base", "few_shot", "tuned")]
        read += [paths.scored(task, each, split) for each in ("base", "few_shot", "tuned")]
    read += [paths.general(task, each) for each in ("base", "tuned")]
    return [path.as_posix() for path in read]


def _link_base(root: Path, name: str, there: Path, params: dict[str, Any]) -> None:
    """Let a base model be found that is a folder of this repository, and in neither Git nor DVC.

    Raises:
        UserError: it is not here, or it would be linked outside the temporary folder.
    """
    model = params["model"]
    link = there / model["name"]
    if model["source"] != "local" or link.is_dir():
        return
    here = root / model["name"]
    if not here.is_dir():
        raise UserError(
            f"{name}: its base model {paths.without_folders(model['name'])} is not here; put the "
            "folder where model.name says, or run `make smollm2` if it is that"
        )
    if there.parent not in Path(os.path.normpath(link)).parents:
        raise UserError(
            f"{name}: its base model {paths.without_folders(model['name'])} is neither in the "
            "repository nor beside it, where an audit finds one"
        )
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(here.resolve(), target_is_directory=True)


def set_machine(there: Checkout) -> None:
    """Replace the revision's settings of the machine, as far as it has them, by `RUN`."""
    run = there.params.get("run", {})
    changed = {**run, **{key: value for key, value in RUN.items() if key in run}}
    text = yaml.safe_dump({**there.params, "run": changed}, sort_keys=False, allow_unicode=True)
    write_text(there.root / "params.yaml", text)


def changed_code(root: Path, commit: str) -> list[str]:
    """The files in which a commit differs from HEAD, of code and of what stages read and write."""
    names = git(root, "diff", "--name-only", "-z", "HEAD", commit, "--", "src", "dvc.yaml")
    return [name for name in names.split("\0") if name]
