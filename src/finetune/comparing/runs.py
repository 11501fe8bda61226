"""Parameters and predictions of a run: of the workspace, of a revision, or of the shelf."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from finetune.comparing import digests, sources
from finetune.comparing.sources import Source
from finetune.composition import flat, flatten, shown
from finetune.core import lock as lock_file
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json
from finetune.core.params import UNDECLARED, is_composed, new_key
from finetune.core.schema import COMPOSED, Data, Lora, Method, Section, Train
from finetune.shelf import public, reading
from finetune.shelf.about import About, Digest
from finetune.shelf.rows import IDS, public_id
from finetune.tasks import registry

WORKSPACE = "workspace"
# The stages that predictions are made by, in their order.
STAGES = ("fetch", "prepare", "train", "predict", "evaluate")

Row = dict[str, Any]
# MD5 hashes of a run's outs by path, as dvc.lock has them.
Hashes = dict[str, str | None]
Split = Literal["validation", "test"]
# The tuned model's predictions, the untuned one's, or that one's with examples in its prompt.
Model = Literal["tuned", "base", "few_shot"]


def _no_files(path: str) -> str:
    raise UserError(f"{path}: there are no files of this run")


@dataclass(frozen=True)
class Run:
    """One run: parameters by dotted key; for each task its kind and the tuned predictions.

    Of a shelved run the predictions are without texts. Parameters and ids are as they may be
    published, so that a run is the same wherever it was read. `code` are the hashes of the code and
    data that tuned and asked the models, as (stage, path, hash). `revision` is the commit where the
    name alone does not say it; `text` gives a further file of it; `digests` are of the predictions
    with their texts.
    """

    name: str
    params: dict[str, object]
    kinds: dict[str, str]
    predictions: dict[str, list[Row]]
    code: frozenset[tuple[str, str, str]] = frozenset()
    revision: str | None = None
    text: Callable[[str], str] = field(default=_no_files, repr=False, compare=False)
    digests: dict[str, Digest] = field(default_factory=dict, repr=False, compare=False)

    def digest(self, task: str) -> Digest:
        """Hashes of a task's questions and predictions, by which the ledger of looks knows them."""
        return self.digests.get(task) or digests.digest(self.predictions[task])

    def predicts_as(self, other: "Run") -> bool:
        """Whether both have the same predictions of the same tasks."""
        mine, theirs = (
            {task: run.digest(task) for task in run.predictions} for run in (self, other)
        )
        return mine == theirs

    def rows(self, path: Path) -> list[Row]:
        """The rows of a further file of JSON lines."""
        name = path.as_posix()
        return _with_public_ids(parse_jsonl(self.text(name), f"{self.name}: {name}"))


def read(
    root: Path,
    name: str,
    split: Split = "test",
    revision: str | None = None,
    model: Model = "tuned",
) -> Run:
    """The run of a commit, branch, tag or experiment, of the `workspace`, or of a shelved folder.

    `revision` is its commit where `name` alone does not say it. A run with the predictions of
    another `model` than the tuned one has its name behind a colon.

    Raises:
        UserError: there is no such run, or its files are in neither the cache nor a remote.
    """
    if not name:
        # DVC would read the workspace.
        raise UserError("compare: an empty name of a revision; a variable may not be set")
    if revision is None and (folder := reading.folder_of(root, name)):
        if model != "tuned":
            raise UserError(
                f"{name}: of a shelved run only the tuned model's rows are compared, not {model}"
            )
        return _shelved(folder, name.rstrip("/"), split)
    source = source_of(root, name, revision)
    params, kinds, written, code = _made_with(name, source.text)
    raw = {task: _rows(name, task, split, source.text, written, model) for task in kinds}
    return Run(
        name if model == "tuned" else f"{name}:{model}",
        params,
        kinds,
        {task: _with_public_ids(rows) for task, rows in raw.items()},
        code,
        revision,
        source.text,
        {task: digests.digest(rows) for task, rows in raw.items()},
    )


def source_of(root: Path, name: str, revision: str | None = None) -> Source:
    """The files of the workspace or of a revision."""
    if name == WORKSPACE:
        return sources.workspace(root)
    return sources.revision(root, revision or name)


def _shelved(folder: Path, name: str, split: Split) -> Run:
    """A run of the shelf, with its rows as far as they may be published.

    Raises:
        UserError: a file is missing or damaged, or the split's rows were not shelved.
    """
    source, about = reading.source(folder, name)
    params, kinds = params_of(name, source.text("params.yaml"))
    rows = {}
    for task in kinds:
        path = paths.scored(task, "tuned", split).as_posix()
        rows[task] = parse_jsonl(source.text(path), f"{name}: {path}")
    for task, kind in kinds.items():
        if task not in about.tasks or about.tasks[task].kind != kind:
            raise UserError(f"{name}: about.json says nothing of {task}; shelve the run again")
    return Run(
        name,
        params,
        kinds,
        rows,
        _code_on_shelf(about),
        None,
        source.text,
        {task: about.tasks[task].digests[split] for task in kinds},
    )


def _code_on_shelf(about: About) -> frozenset[tuple[str, str, str]]:
    stages: dict[str, Any] = {
        name: {"deps": [{"path": path, "md5": md5} for path, md5 in stage.deps.items()]}
        for name, stage in about.stages.items()
    }
    return _code(stages, about.tasks)


def _with_public_ids(rows: Sequence[Row]) -> list[Row]:
    return [{**row, **{key: public_id(row[key]) for key in IDS if key in row}} for row in rows]


def _rows(
    name: str,
    task: str,
    split: Split,
    text_of: Callable[[str], str],
    written: Hashes,
    model: Model,
) -> list[Row]:
    """The predictions of a task for one split.

    Raises:
        UserError: the file was changed after the run that wrote it, or does not exist.
    """
    path = paths.scored(task, model, split).as_posix()
    if split == "validation" and path not in written:
        raise UserError(
            f"{name}: validation rows of {task} are not scored; run `dvc repro` there with this "
            "version"
        )
    if path not in written:
        if paths.predictions(task, model, "validation").as_posix() in written:
            raise UserError(f"{name}: predictions of {task} are not scored yet; run `dvc repro`")
        # Before scoring was a stage of its own, one file had both predictions and scores.
        path = paths.predictions(task, model).as_posix()
    text = text_of(path)
    check_written(name, path, text, written)
    return parse_jsonl(text, f"{name}: {path}")


def check_written(name: str, path: str, text: str, written: Hashes) -> None:
    """Check that an out of a run is as the run wrote it, where dvc.lock knows it.

    Raises:
        UserError: it was changed since.
    """
    if written.get(path, md5 := hashlib.md5(text.encode()).hexdigest()) != md5:
        raise UserError(
            f"{name}: {path} was changed since the run that wrote it; `dvc checkout {path}` or "
            "`dvc repro` brings it back"
        )


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
    _made_with(WORKSPACE, sources.workspace(root).text)


def _made_with(
    name: str, text_of: Callable[[str], str]
) -> tuple[dict[str, object], dict[str, str], Hashes, frozenset[tuple[str, str, str]]]:
    """Parameters by dotted key, each task's kind, hashes of the last run's outs, and of its code.

    Raises:
        UserError: the predictions are of other parameters, or older than their inputs.
    """
    params, kinds = _raw_params(name, text_of("params.yaml"))
    # Parsed as params.yaml is: PyYAML would read a number such as 1e-06 as a string.
    stages = lock_file.stages(text_of("dvc.lock"), f"dvc.lock of {name}")
    written = {
        out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs", [])
    }
    for task in kinds:
        _check_params(name, task, params, stages)
        _check_order(name, task, stages, written)
    return _comparable(params, kinds), kinds, written, _code(stages, kinds)


def params_of(name: str, text: str) -> tuple[dict[str, object], dict[str, str]]:
    """The parameters that runs are compared by, from the text of params.yaml; each task's kind."""
    params, kinds = _raw_params(name, text)
    return _comparable(params, kinds), kinds


def _raw_params(name: str, text: str) -> tuple[dict[str, object], dict[str, str]]:
    params = flat(text, f"params.yaml of {name}")
    kinds = {
        key.split(".")[1]: str(value)
        for key, value in params.items()
        if key.startswith("tasks.") and key.endswith(".kind") and key.count(".") == 2
    }
    return params, kinds


def _comparable(params: dict[str, object], kinds: dict[str, str]) -> dict[str, object]:
    named = public.by_key(_completed(_renamed(params, list(kinds)), kinds))
    # Settings of the machine are no difference between runs, and composed ones none of their own.
    return {
        key: value
        for key, value in named.items()
        if not key.startswith(f"{UNDECLARED}.") and not is_composed(key)
    }


def _code(stages: dict[str, Any], tasks: Collection[str]) -> frozenset[tuple[str, str, str]]:
    """What `train` and `predict` of these tasks were run from, but for the outs of train itself.

    A lock also has stages of tasks that earlier runs in the same folder had.
    """
    stages = {name: of for name, of in stages.items() if name.partition("@")[2] in tasks}
    trained = {
        out["path"]
        for name, stage in stages.items()
        if name.startswith("train@")
        for out in stage.get("outs", [])
    }
    return frozenset(
        (name, paths.without_folders(dep["path"]), str(dep.get("md5")))
        for name, stage in stages.items()
        if name.startswith(("train@", "predict@"))
        for dep in stage.get("deps", [])
        if dep["path"] not in trained
        and not (name.startswith("predict@") and dep["path"].startswith("models/"))
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


def _completed(params: dict[str, object], kinds: dict[str, str]) -> dict[str, object]:
    """The parameters, and the defaults of those that were added since.

    What a default says is what was done before there was a choice.
    """
    sections: dict[str, type[Section]] = {
        "data": Data, "lora": Lora, "method": Method, "train": Train,
    }  # fmt: skip
    sections |= {f"tasks.{task}.train": Train for task in kinds}
    known = {task: kind for task, kind in kinds.items() if kind in registry.names()}
    sections |= {
        f"tasks.{task}.{name}": registry.options(kind).Task.section_type(name)
        for task, kind in known.items()
        for name in ("prompt", "source")
    }
    later: dict[str, object] = {}
    for section, model in sections.items():
        if not any(key.startswith(f"{section}.") for key in params):
            continue
        for name, of in model.model_fields.items():
            if not of.is_required() and name not in COMPOSED:
                later |= flatten(
                    _plain(of.get_default(call_default_factory=True)), f"{section}.{name}"
                )
    return later | params


def _plain(value: object) -> object:
    return value.model_dump() if isinstance(value, Section) else value


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
