"""Parameters and predictions of a revision, from the workspace or from Git and DVC."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.composition import flat, flatten, shown
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json, read_text
from finetune.core.params import UNDECLARED, new_key, read_yaml

WORKSPACE = "workspace"
# The stages that predictions are made by, in their order.
STAGES = ("fetch", "prepare", "train", "predict", "evaluate")

Row = dict[str, Any]
# MD5 hashes of a run's outs by path, as dvc.lock has them.
Hashes = dict[str, str | None]


@dataclass(frozen=True)
class Run:
    """One revision: parameters by dotted key; for each task its kind and the tuned predictions."""

    name: str
    params: dict[str, object]
    kinds: dict[str, str]
    predictions: dict[str, list[Row]]


def read(root: Path, name: str) -> Run:
    """The run of a commit, branch, tag or experiment, or of the `workspace`.

    Raises:
        UserError: there is no such revision, or its files are in neither the cache nor a remote.
    """
    if not name:
        # DVC would read the workspace.
        raise UserError("compare: an empty name of a revision; a variable may not be set")
    text_of = _workspace(root) if name == WORKSPACE else _revision(root, name)
    params, kinds, written = _made_with(name, text_of)
    predictions = {task: _rows(name, task, text_of, written) for task in kinds}
    return Run(name, params, kinds, predictions)


def _rows(name: str, task: str, text_of: Callable[[str], str], written: Hashes) -> list[Row]:
    """The tuned predictions of a task.

    Raises:
        UserError: the file was changed after the run that wrote it.
    """
    path = paths.scored(task, "tuned").as_posix()
    if path not in written:
        if paths.predictions(task, "tuned", "validation").as_posix() in written:
            raise UserError(f"{name}: predictions of {task} are not scored yet; run `dvc repro`")
        # Before scoring was a stage of its own, one file had both predictions and scores.
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
    """Check that the workspace's predictions are those of its parameters, and of a complete run.

    Raises:
        UserError: params.yaml was edited, or the last run was interrupted.
    """
    _made_with(WORKSPACE, _workspace(root))


def _made_with(
    name: str, text_of: Callable[[str], str]
) -> tuple[dict[str, object], dict[str, str], Hashes]:
    """The parameters by dotted key, the kind of each task, and the hashes of the last run's outs.

    Raises:
        UserError: the predictions are of other parameters, or older than their inputs.
    """
    params = flat(text_of("params.yaml"), f"params.yaml of {name}")
    kinds = {
        key.split(".")[1]: str(value)
        for key, value in params.items()
        if key.startswith("tasks.") and key.endswith(".kind") and key.count(".") == 2
    }
    # Parsed as params.yaml is: PyYAML would read a number such as 1e-06 as a string.
    stages = read_yaml(text_of("dvc.lock"), f"dvc.lock of {name}").get("stages", {})
    written = {
        out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs", [])
    }
    for task in kinds:
        _check_params(name, task, params, stages)
        _check_order(name, task, stages, written)
    params = _renamed(params, list(kinds))
    # Settings of the machine are no difference between runs.
    params = {key: value for key, value in params.items() if not key.startswith(f"{UNDECLARED}.")}
    return params, kinds, written


def _renamed(params: dict[str, object], tasks: Sequence[str]) -> dict[str, object]:
    """The parameters with keys of earlier versions renamed to their present ones."""
    named = {new_key(key) or key: value for key, value in params.items()}
    for task in tasks:
        if any(key.startswith(f"tasks.{task}.train.") for key in params):
            continue
        # All tasks then were trained alike.
        for key, value in list(named.items()):
            if key.startswith("train."):
                named.setdefault(f"tasks.{task}.{key}", value)
    return named


def _check_params(name: str, task: str, params: dict[str, object], stages: dict[str, Any]) -> None:
    """Check that a task's predictions were made with the revision's own parameters.

    Raises:
        UserError: they were not; `params.yaml` was edited, or a run was interrupted.
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
    """Check that a task's predictions were made from the latest outs of the stages before them.

    Raises:
        UserError: they were not; a run was interrupted in between.
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
            reason = " ".join(str(error).split())
            raise UserError(
                f"{name}: {path} is in a remote that cannot be read: {reason}"
            ) from None
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
