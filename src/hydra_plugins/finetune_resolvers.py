"""What a mistake in an override is told by, while `dvc exp run` composes `conf/`.

It does so before it touches anything, so the workspace stays as it was. `${folder:KEY,DIR}` in a
config is DIR, once it is seen to be there: DVC's own word would come later and name no key.
`${folder:KEY,DIR,COMMAND}` is a model folder that COMMAND makes. A key that no config has is told
with those that there are.
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
from omegaconf import DictConfig, OmegaConf

# Runs of these options happen in a temporary checkout, from where a relative path leads elsewhere.
ELSEWHERE = {"--temp", "--queue"}

CONFIG = "config.json"  # a model folder holds it


def folder(key: str, path: str | None, made_by: str | None = None) -> str:
    """The path as given, if it is a folder that the run will find; `made_by`: a model in it, too.

    Raises:
        ValueError: it is not set, not there, not made yet, or relative and outside (or not in Git)
            in a run that is elsewhere.
    """
    if path is None:
        raise _mistake(f"{key}: is not set; give a folder: -S {key}=DIR")
    if not Path(path).is_dir():
        raise _mistake(f"{key}: no folder {path!r} (looked from {Path.cwd()})")
    if made_by and not (Path(path) / CONFIG).is_file():
        raise _mistake(f"{key}: {path!r} holds no model yet; run `{made_by}`, which makes it")
    inside = Path(path).resolve().is_relative_to(Path.cwd())
    if ELSEWHERE & set(sys.argv) and not inside and not Path(path).is_absolute():
        raise _mistake(
            f"{key}: {path!r} is relative and outside the repository, where queue and --temp runs "
            f"do not find it; give {Path(path).resolve()}"
        )
    if (
        ELSEWHERE & set(sys.argv)
        and not Path(path).is_absolute()
        and not _is_tracked(f"{path}/{CONFIG}" if made_by else path)
    ):
        raise _mistake(
            f"{key}: {path!r} is not in Git, and queue and --temp runs see only what is; give "
            f"{Path(path).resolve()}"
        )
    return path


def _is_tracked(path: str) -> bool:
    """Git or DVC knows files in there."""
    command = ["git", "ls-files", "--", path, f"{path.rstrip('/')}.dvc"]
    return bool(subprocess.run(command, capture_output=True, check=False).stdout)


def telling(
    apply: Callable[[list[Override], DictConfig], None],
) -> Callable[[list[Override], DictConfig], None]:
    """Hydra's function that applies overrides, with a line of ours for a key that it refuses."""

    @functools.wraps(apply)
    def told(overrides: list[Override], config: DictConfig) -> None:
        for override in overrides:
            try:
                apply([override], config)
            except ConfigCompositionException:
                _tell_if_unknown(override.key_or_group, config)
                raise
        _refuse_names(config)

    return told


def _refuse_names(config: DictConfig) -> None:
    """See that tasks have names that can be folders', before anything is written under them.

    Raises:
        ConfigCompositionException: one has not.
    """
    from finetune.core.schema import check_task_names

    tasks = config.get("tasks")
    if isinstance(tasks, DictConfig):
        try:
            check_task_names(tasks)
        except ValueError as error:
            raise ConfigCompositionException(str(_mistake(f"tasks: {error}"))) from None


def _tell_if_unknown(key: str, config: DictConfig) -> None:
    from finetune.core.params import renamed  # here, not above: it takes time, which a mistake has

    if said := renamed(key):
        _mistake(f"{key}: {said}")
        return
    node, path = config, ""
    for name in key.split("."):
        path = f"{path}.{name}".lstrip(".")
        if not isinstance(node, DictConfig):
            return
        if name not in node:
            known = [str(other) for other in node if other != "hydra"]
            _mistake(f"{path}: is not a parameter; known here: {', '.join(known)}")
            return
        node = node[name]


def _mistake(line: str) -> ValueError:
    # Printed here too: Hydra and DVC wrap the message into several lines of their own.
    print(f"finetune: {line}", file=sys.stderr)
    return ValueError(line)


# Hydra has no hook for this; its version is pinned, and a test sees that the line is told. It may
# import this module a second time, so what is wrapped is always Hydra's own function.
ConfigLoaderImpl._apply_overrides_to_config = staticmethod(
    telling(inspect.unwrap(ConfigLoaderImpl._apply_overrides_to_config))
)
OmegaConf.register_new_resolver("folder", folder, replace=True)
