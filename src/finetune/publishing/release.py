"""What is published of a task: files, metrics and where the data came from, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.comparing import runs
from finetune.core import params, paths
from finetune.core.errors import UserError
from finetune.core.files import read_json, short_hash
from finetune.core.schema import Params, Task
from finetune.exporting import adapter, folders
from finetune.forms import records
from finetune.publishing import licences
from finetune.reporting import tables

# What a model or adapter consists of; anything else in its folder stays here.
SUFFIXES = (".safetensors", ".gguf", ".json", ".jinja", ".txt", ".model")
HASHES = ("adapter_hash", "model_hash")


@dataclass(frozen=True)
class Release:
    """A task's tuned model in the form that is published.

    files: what leaves; left_out: names of what else is in the folder; exports: the entries of the
    export's own record, empty for the adapter as it was trained; origins: `source.json` of the data
    by task, the task's own first, then those that it was trained on, too;
    base_model: the base's repository on the hub, None where there is none.
    """

    root: Path
    task: str
    settings: Params
    folder: Path
    files: tuple[Path, ...]
    left_out: tuple[str, ...]
    metrics: Mapping[str, dict[str, Any]]
    exports: Mapping[str, dict[str, Any]]
    origins: Mapping[str, Mapping[str, Any]]
    base_model: str | None

    @property
    def origin(self) -> Mapping[str, Any]:
        """`source.json` of the task's own data."""
        return self.origins[self.task]

    @property
    def options(self) -> Task:
        """The task's parameters."""
        return self.settings.tasks[self.task]

    @property
    def weights(self) -> list[Path]:
        """The files of weights."""
        return folders.weights(self.folder)

    @property
    def is_adapter(self) -> bool:
        """Whether it needs its base."""
        return any(file.name == "adapter_config.json" for file in self.files)


def trained_on(settings: Params, task: str) -> list[str]:
    """The tasks whose data stands behind a task's adapter: itself, and those that share it."""
    trained = settings.tasks[task].train.adapter_of or task
    return list(dict.fromkeys([task, trained, *settings.tasks[trained].train.mix]))


def of(
    root: Path, task: str, export: Path | None, base_model: str | None, has_right: bool
) -> Release:
    """What is published of a task, or of an export of it.

    Raises:
        UserError: nothing may or can be published: see the messages.
    """
    settings = params.read(root / "params.yaml")
    if task not in settings.tasks:
        raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    if settings.method.is_hosted:
        raise UserError(f"{task}: was tuned at its provider (method=hosted), who keeps the weights")
    trained = paths.trained_weights(task)
    if trained is None:
        raise UserError(f"{paths.adapter(task)}: nothing is trained; run `dvc repro` or `dvc pull`")
    runs.check(root)
    metrics = tables.read_complete(root / "metrics", task)
    adapter_hash = short_hash(trained)
    _check_metrics(task, metrics, adapter_hash)
    num_rows = metrics["tuned"]["n"]
    entries = _entries(task, export, adapter_hash, num_rows) if export else {}
    origins = {}
    for name in trained_on(settings, task):
        origin_file = paths.raw(name) / "source.json"
        if not origin_file.is_file():
            raise UserError(
                f"{origin_file}: not there, so the data's licence is not known; `dvc pull`"
            )
        origins[name] = read_json(origin_file)
        licences.check(name, origins[name], has_right)
    folder = export or paths.adapter(task)
    there = sorted(folder.iterdir())
    files = tuple(file for file in there if file.is_file() and file.suffix in SUFFIXES)
    others = [file.name for file in there if file not in files]
    left_out = tuple(name for name in others if name != folders.IGNORED)
    model = settings.model
    release = Release(
        root, task, settings, folder, files, left_out, metrics, entries, origins,
        base_model or (model.name if model.source == "hub" else None),
    )  # fmt: skip
    if release.is_adapter and release.base_model is None:
        raise UserError(
            f"model.name: {paths.without_folders(model.name)} is a folder here, and nobody else "
            "can load an adapter of it: name its repository (--base-model OWNER/NAME), or publish "
            "a merged export (--export DIR)"
        )
    if (folder / adapter.BASE).is_dir() and base_model is None:
        raise UserError(
            f"--export {export}: was scored on the base in {folder / adapter.BASE}, not on "
            f"{release.base_model}: publish that base, and name its repository (--base-model "
            "OWNER/NAME)"
        )
    return release


def _check_metrics(task: str, metrics: Mapping[str, dict[str, Any]], adapter_hash: str) -> None:
    """Check that the metrics are of this adapter.

    Raises:
        UserError: they are not.
    """
    trained = [metrics.get("train", {}).get(key) for key in HASHES]
    if adapter_hash not in trained:
        raise UserError(
            f"{task}: metrics/{task}/train.json is of another adapter than {paths.adapter(task)} "
            f"({adapter_hash}); `dvc checkout` or `dvc repro` puts it right"
        )
    predictions = paths.predictions(task, "tuned")
    if not predictions.is_file():
        raise UserError(f"{predictions}: not there to be held against the metrics; `dvc pull`")
    if metrics["tuned"].get("predictions_hash") != short_hash(predictions):
        raise UserError(
            f"{task}: metrics/{task}/tuned.json is of other predictions than {predictions}; "
            "`dvc repro` puts it right"
        )


def published_form(entries: Mapping[str, Any]) -> str | None:
    """The name of the form in the folder of an export; None for the adapter as it was trained."""
    return next((name for name in entries if name != records.ADAPTER), None)


def _entries(task: str, export: Path, adapter_hash: str, num_rows: int) -> dict[str, Any]:
    """What an export's own file says of it.

    Raises:
        UserError: it is no export of this task's adapter, or what it says is not of what is there,
            or of a few rows alone.
    """
    file = export / records.FILE
    if not file.is_file():
        raise UserError(f"--export {export}: no export ({records.FILE}); see `finetune export`")
    entries: dict[str, Any] = read_json(file).get(task, {}).get("forms", {})
    if adapter_hash not in [each.get("adapter_hash") for each in entries.values()]:
        raise UserError(f"--export {export}: is of another adapter than {paths.adapter(task)}")
    form = entries[published_form(entries) or records.ADAPTER]
    if form["n"] != num_rows:
        raise UserError(
            f"--export {export}: was scored on {form['n']} of {num_rows} test rows; export it "
            "again, without --rows"
        )
    if form.get("weights_hash") != folders.weights_hash(export):
        raise UserError(
            f"--export {export}: its weights are not those that {records.FILE} has the scores of; "
            "export it again"
        )
    return entries
