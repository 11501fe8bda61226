"""A Hydra plugin that reports errors in overrides while `dvc exp run` composes `conf/`.

Composition precedes any change of the workspace. The resolver `${folder:KEY,DIR}` gives DIR if it
exists: DVC's own error would come later and name no key. `${folder:KEY,DIR,COMMAND}` is a model
folder that COMMAND creates. `${selection:}` in a task's `train` is what choosing by its scores
depends on, see `finetune.core.schema.Selection`, and `${mixed:}` what other tasks have to do with
its adapter, see `Mixed`; a config need not have the latter. An unknown key is reported with the
known ones.
"""

import functools
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf, open_dict

# With these options a run happens in a temporary checkout, where relative paths resolve otherwise.
TEMPORARY_CHECKOUT = {"--temp", "--queue"}

CONFIG = "config.json"  # present in every model folder


def folder(key: str, path: str | None, made_by: str | None = None) -> str:
    """The path as given, if the run can read the folder; with `made_by`, also the model in it.

    Raises:
        ValueError: it is not set or missing, the command `made_by` has not been run, or it is
            relative and outside the repository (or not in Git) in a temporary checkout.
    """
    if path is None:
        raise _error(f"{key}: is not set; give a folder: -S {key}=DIR")
    if not Path(path).is_dir():
        raise _error(f"{key}: no folder {path!r} (looked from {Path.cwd()})")
    if made_by and not (Path(path) / CONFIG).is_file():
        raise _error(f"{key}: {path!r} holds no model yet; run `{made_by}`, which makes it")
    inside = Path(path).resolve().is_relative_to(Path.cwd())
    if TEMPORARY_CHECKOUT & set(sys.argv) and not inside and not Path(path).is_absolute():
        raise _error(
            f"{key}: {path!r} is relative and outside the repository, where queue and --temp runs "
            f"do not find it; give {Path(path).resolve()}"
        )
    if (
        TEMPORARY_CHECKOUT & set(sys.argv)
        and not Path(path).is_absolute()
        and not _is_tracked(f"{path}/{CONFIG}" if made_by else path)
    ):
        raise _error(
            f"{key}: {path!r} is not in Git, and queue and --temp runs see only what is; give "
            f"{Path(path).resolve()}"
        )
    return path


def selection(_parent_: DictConfig) -> DictConfig:
    """A task's `train.selection`, from `select_by` beside it and from the task around it.

    With `loss` it must not change with `eval` or `score`: training would run again.
    """
    from finetune.core.schema import NOT_FOR_SELECTION, WATCHED  # slow to import

    select_by = _parent_.select_by
    # Another value is for the validation of params.yaml to name.
    composed: dict[str, object] = {"watch": WATCHED.get(select_by, WATCHED["loss"])}
    if select_by == "score":
        task = _parent_._get_parent()
        composed["primary"] = task.get("primary")
        for name in ("eval", "score"):
            composed[name] = OmegaConf.masked_copy(
                task[name], [key for key in task[name] if key not in NOT_FOR_SELECTION]
            )
    return OmegaConf.create(composed)


def mixed(_parent_: DictConfig) -> DictConfig:
    """A task's `train.mixed`, from `mix` and `adapter_of` beside it and the tasks in them."""
    from finetune.core.schema import MIXED, TAKEN, UNMIXED  # slow to import

    mix, taken = _parent_.get("mix"), _parent_.get("adapter_of")
    data, code = MIXED if mix else UNMIXED
    tasks = _parent_._get_root().tasks
    others = {
        # One that is missing is for the validation of params.yaml to name.
        name: {"kind": tasks[name].kind, "prompt": tasks[name].prompt}
        for name in mix or ()
        if name in tasks
    }
    composed = {"data": TAKEN.format(taken) if taken else data, "code": code}
    return OmegaConf.create({**composed, "tasks": others} if others else composed)


# What a task's `train` may lack: its config is older than these.
LATER: dict[str, object] = {"mix": {}, "adapter_of": None, "mixed": "${mixed:}"}


def _complete(config: DictConfig) -> None:
    """Give each task's `train` what a config that is older than it lacks."""
    tasks = config.get("tasks")
    for task in tasks.values() if isinstance(tasks, DictConfig) else ():
        train = task.get("train") if isinstance(task, DictConfig) else None
        if isinstance(train, DictConfig):
            with open_dict(train):
                for name, value in LATER.items():
                    if name not in train:
                        train[name] = value


def _is_tracked(path: str) -> bool:
    """Whether Git or DVC tracks files in the folder."""
    command = ["git", "ls-files", "--", path, f"{path.rstrip('/')}.dvc"]
    return bool(subprocess.run(command, capture_output=True, check=False).stdout)


def reporting(
    apply: Callable[[list[Override], DictConfig], None],
) -> Callable[[list[Override], DictConfig], None]:
    """Hydra's function that applies overrides, extended by a one-line message for unknown keys."""

    @functools.wraps(apply)
    def apply_each(overrides: list[Override], config: DictConfig) -> None:
        _complete(config)
        for override in overrides:
            try:
                apply([override], config)
            except ConfigCompositionException:
                _report_if_unknown(override.key_or_group, config)
                raise
        _refuse_names(config)

    return apply_each


def _refuse_names(config: DictConfig) -> None:
    """Check that task names can be names of folders, before any folder is created.

    Raises:
        ConfigCompositionException: one of them cannot.
    """
    from finetune.core.schema import check_task_names

    tasks = config.get("tasks")
    if isinstance(tasks, DictConfig):
        try:
            check_task_names(tasks)
        except ValueError as error:
            raise ConfigCompositionException(str(_error(f"tasks: {error}"))) from None


def _report_if_unknown(key: str, config: DictConfig) -> None:
    from finetune.core.params import renamed  # slow to import, needed for errors only

    if message := renamed(key):
        _error(f"{key}: {message}")
        return
    node, path = config, ""
    for name in key.split("."):
        path = f"{path}.{name}".lstrip(".")
        if not isinstance(node, DictConfig):
            return
        if name not in node:
            known = [str(other) for other in node if other != "hydra"]
            _error(f"{path}: is not a parameter; known here: {', '.join(known)}")
            return
        node = node[name]


def _error(line: str) -> ValueError:
    # Printed here too: Hydra and DVC wrap the message into several lines of their own.
    print(f"finetune: {line}", file=sys.stderr)
    return ValueError(line)


# Hydra has no hook for this; its version is pinned, and a test covers the message. Hydra may import
# this module twice, so the function is unwrapped first.
ConfigLoaderImpl._apply_overrides_to_config = staticmethod(
    reporting(inspect.unwrap(ConfigLoaderImpl._apply_overrides_to_config))
)
OmegaConf.register_new_resolver("folder", folder, replace=True)
OmegaConf.register_new_resolver("selection", selection, replace=True)
OmegaConf.register_new_resolver("mixed", mixed, replace=True)
