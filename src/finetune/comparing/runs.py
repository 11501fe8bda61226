"""Parameters and predictions of a revision, from the workspace or from Git and DVC."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from finetune.composition import flat, flatten, shown
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json, read_text
from finetune.core.params import UNDECLARED, is_composed, new_key, read_yaml

WORKSPACE = "workspace"
# The stages that predictions are made by, in their order.
STAGES = ("fetch", "prepare", "train", "predict", "evaluate")

Row = dict[str, Any]
# MD5 hashes of a run's outs by path, as dvc.lock has them.
Hashes = dict[str, str | None]
Split = Literal["validation", "test"]


def _no_files(path: str) -> str:
    raise UserError(f"{path}: there are no files of this run")


@dataclass(frozen=True)
class Run:
    """One revision: parameters by dotted key; for each task its kind and the tuned predictions.

    `code` are the hashes of the code and data that tuned and asked the models, as (stage, path,
    hash). `revision` is the commit where the name alone does not say it; `text` gives a further
    file of it.
    """

    name: str
    params: dict[str, object]
    kinds: dict[str, str]
    predictions: dict[str, list[Row]]
    code: frozenset[tuple[str, str, str]] = frozenset()
    revision: str | None = None
    text: Callable[[str], str] = field(default=_no_files, repr=False, compare=False)


def read(root: Path, name: str, split: Split = "test", revision: str | None = None) -> Run:
    """The run of a commit, branch, tag or experiment, or of the `workspace`.

    `revision` is its commit where `name` alone does not say it.

    Raises:
        UserError: there is no such revision, or its files are in neither the cache nor a remote.
    """
    if not name:
        # DVC would read the workspace.
        raise UserError("compare: an empty name of a revision; a variable may not be set")
    text_of = _workspace(root) if name == WORKSPACE else _revision(root, revision or name)
    params, kinds, written, code = _made_with(name, text_of)
    predictions = {task: _rows(name, task, split, text_of, written) for task in kinds}
    return Run(name, params, kinds, predictions, code, revision, text_of)


def _rows(
    name: str, task: str, split: Split, text_of: Callable[[str], str], written: Hashes
) -> list[Row]:
    """The tuned predictions of a task for one split.

    Raises:
        UserError: the file was changed after the run that wrote it, or does not exist.
    """
    path = paths.scored(task, "tuned", split).as_posix()
    if split == "validation" and path not in written:
        raise UserError(
            f"{name}: validation rows of {task} are not scored; run `dvc repro` there with this "
            "version"
        )
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
    return parse_jsonl(text, f"{name}: {path}")


def parse_jsonl(text: str, where: str) -> list[Row]:
    """The rows of a file of JSON lines; `where` names it in errors."""
    # Not splitlines(): a text may hold U+2028, which is no line end in JSON lines.
    lines = enumerate(text.split("\n"), start=1)
    return [parse_json(line, where, number) for number, line in lines if line]


def check(root: Path) -> None:
    """Check that the workspace's predictions are those of its parameters, and of a complete run.

    Raises:
        UserError: params.yaml was edited, or the last run was interrupted.
    """
    _made_with(WORKSPACE, _workspace(root))


def _made_with(
    name: str, text_of: Callable[[str], str]
) -> tuple[dict[str, object], dict[str, str], Hashes, frozenset[tuple[str, str, str]]]:
    """Parameters by dotted key, each task's kind, hashes of the last run's outs, and of its code.

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
    # Settings of the machine are no difference between runs, and composed ones none of their own.
    params = {
        key: value
        for key, value in params.items()
        if not key.startswith(f"{UNDECLARED}.") and not is_composed(key)
    }
    return params, kinds, written, _code(stages)


def _code(stages: dict[str, Any]) -> frozenset[tuple[str, str, str]]:
    """What `train` and `predict` were run from, but for the outs of train itself."""
    return frozenset(
        (name, dep["path"], str(dep.get("md5")))
        for name, stage in stages.items()
        if name.startswith(("train@", "predict@"))
        for dep in stage.get("deps", [])
        if not (name.startswith("predict@") and dep["path"].startswith("models/"))
    )


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
                f"remote, `dvc exp pull origin {name}` that of an experiment; else run it here: "
                f"`git switch --detach {commit[:12]}` and `dvc repro`; where this machine rounds "
                "otherwise than the one it was made on, commit that run and compare with it"
            ) from None

    return text
