"""What a revision ran with and what it predicted: from the workspace, or through Git and DVC."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.composition import flat, flatten, shown
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json, read_text
from finetune.core.params import UNDECLARED, read_yaml

WORKSPACE = "workspace"
# What predictions come out of, in its order.
STAGES = ("fetch", "prepare", "train", "evaluate")

Row = dict[str, Any]
# Of the outs of a run, by their paths, as dvc.lock has them.
Hashes = dict[str, str | None]


@dataclass(frozen=True)
class Run:
    """One revision: parameters by dotted key; for each task its kind and the tuned predictions."""

    name: str
    params: dict[str, object]
    kinds: dict[str, str]
    predictions: dict[str, list[Row]]


def read(root: Path, name: str) -> Run:
    """A run by the name of a commit, branch, tag or experiment, or `workspace`.

    Raises:
        UserError: there is no such revision, or its files are neither here nor in a remote.
    """
    if not name:
        # DVC would take it for the workspace.
        raise UserError("compare: an empty name of a revision; a variable may not be set")
    text_of = _workspace(root) if name == WORKSPACE else _revision(root, name)
    params, kinds, written = _made_with(name, text_of)
    predictions = {task: _rows(name, task, text_of, written) for task in kinds}
    return Run(name, params, kinds, predictions)


def _rows(name: str, task: str, text_of: Callable[[str], str], written: Hashes) -> list[Row]:
    """The tuned predictions of a task.

    Raises:
        UserError: the file is not what a run wrote.
    """
    path = paths.predictions(task, "tuned").as_posix()
    text = text_of(path)
    if written.get(path, md5 := hashlib.md5(text.encode()).hexdigest()) != md5:
        raise UserError(
            f"{name}: {path} was changed since the run that wrote it; `dvc checkout {path}` or "
            "`dvc repro` brings it back"
        )
    # Not splitlines(): a text may hold U+2028, which is no line end in JSON lines.
    lines = enumerate(text.split("\n"), start=1)
    return [parse_json(line, f"{name}: {path}", number) for number, line in lines if line]


def check(root: Path) -> None:
    """See that what the workspace holds was made with its parameters, and to the end.

    Raises:
        UserError: params.yaml was edited, or the last run was stopped.
    """
    _made_with(WORKSPACE, _workspace(root))


def _made_with(
    name: str, text_of: Callable[[str], str]
) -> tuple[dict[str, object], dict[str, str], Hashes]:
    """The parameters by dotted key, each task's kind, and what the last run wrote.

    Raises:
        UserError: the predictions are not of these parameters, or older than their data.
    """
    params = flat(text_of("params.yaml"), f"params.yaml of {name}")
    kinds = {
        key.split(".")[1]: str(value)
        for key, value in params.items()
        if key.startswith("tasks.") and key.endswith(".kind") and key.count(".") == 2
    }
    # As params.yaml is read: PyYAML would make text of a number such as 1e-06.
    stages = read_yaml(text_of("dvc.lock"), f"dvc.lock of {name}").get("stages", {})
    written = {
        out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs", [])
    }
    for task in kinds:
        _check_params(name, task, params, stages)
        _check_order(name, task, stages, written)
    # What the machine was set to makes no two runs different.
    params = {key: value for key, value in params.items() if not key.startswith(f"{UNDECLARED}.")}
    return params, kinds, written


def _check_params(name: str, task: str, params: dict[str, object], stages: dict[str, Any]) -> None:
    """See that the predictions were made with the parameters that stand beside them.

    Raises:
        UserError: they were not; `params.yaml` was edited, or a run was stopped.
    """
    for stage in STAGES:
        locked = stages.get(f"{stage}@{task}", {}).get("params", {}).get("params.yaml", {})
        for section, value in locked.items():
            for key, made_with in flatten(value, section).items():
                if params.get(key) != made_with:
                    raise UserError(
                        f"{name}: predictions of {task} were made with {key} = {shown(made_with)}, "
                        f"and params.yaml says {shown(params.get(key))}; run `dvc repro` there"
                    )


def _check_order(name: str, task: str, stages: dict[str, Any], written: Hashes) -> None:
    """See that the predictions were made from what the stages before them wrote last.

    Raises:
        UserError: they were not; a run was stopped between the two.
    """
    for stage in STAGES:
        for dep in stages.get(f"{stage}@{task}", {}).get("deps", []):
            if written.get(dep["path"], dep.get("md5")) != dep.get("md5"):
                raise UserError(
                    f"{name}: predictions of {task} are older than {dep['path']}; the last run "
                    "was stopped, so run `dvc repro` there"
                )


def _workspace(root: Path) -> Callable[[str], str]:
    def text(path: str) -> str:
        try:
            return read_text(root / path)
        except FileNotFoundError:
            raise UserError(f"workspace: {path} is not there; run `dvc repro`") from None

    return text


def _revision(root: Path, name: str) -> Callable[[str], str]:
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.fs import RemoteMissingDepsError
    from dvc.repo import Repo
    from dvc.scm import RevError, SCMError, resolve_rev

    try:
        with Repo(str(root)) as repo:
            commit = resolve_rev(repo.scm, name)
    except (RevError, SCMError):
        raise UserError(
            f"{name}: no such commit, branch, tag or experiment; `git branch -a` and `dvc exp "
            "list` show what there is, `dvc exp pull origin NAME` fetches an experiment"
        ) from None
    except DvcException as error:
        raise UserError(f"{name}: {' '.join(str(error).split())}") from None
    files = DVCFileSystem(url=str(root.resolve()), rev=commit)

    def text(path: str) -> str:
        if not files.exists(path):
            raise UserError(f"{name}: that revision has no {path}; was `dvc repro` run for it?")
        try:
            return files.read_text(path, encoding="utf-8")
        except RemoteMissingDepsError as error:
            said = " ".join(str(error).split())
            raise UserError(f"{name}: {path} is in a remote that cannot be read: {said}") from None
        except UnicodeDecodeError:
            raise UserError(
                f"{name}: {path} is not UTF-8; was it written by `dvc repro`?"
            ) from None
        except (DvcException, OSError):
            raise UserError(
                f"{name}: {path} is in no cache here; `dvc fetch --all-commits` gets it from a "
                f"remote, `dvc exp pull origin {name}` that of an experiment; `git switch --detach "
                f"{commit[:12]}` and `dvc repro` make it again"
            ) from None

    return text
