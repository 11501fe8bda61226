"""`${folder:KEY,DIR}` in a config: DIR, once it is seen to be there.

`dvc exp run` composes `conf/` before it touches anything. A folder that is not there is told at
that moment, by name, and the workspace stays as it was; DVC's own word would come later and name no
key.
"""

import sys
from pathlib import Path

from omegaconf import OmegaConf

# Runs of these options happen in a temporary checkout, from where a relative path leads elsewhere.
ELSEWHERE = {"--temp", "--queue"}


def folder(key: str, path: str | None) -> str:
    """The path as given, if it is a folder that the run will find.

    Raises:
        ValueError: it is not set, not there, or relative and outside in a run that is elsewhere.
    """
    if path is None:
        raise _mistake(f"{key}: is not set; give a folder: -S {key}=DIR")
    if not Path(path).is_dir():
        raise _mistake(f"{key}: no folder {path!r} (looked from {Path.cwd()})")
    inside = Path(path).resolve().is_relative_to(Path.cwd())
    if ELSEWHERE & set(sys.argv) and not inside and not Path(path).is_absolute():
        raise _mistake(
            f"{key}: {path!r} is relative and outside the repository, where queue and --temp runs "
            f"do not find it; give {Path(path).resolve()}"
        )
    return path


def _mistake(line: str) -> ValueError:
    # Printed here too: Hydra and DVC wrap the message into several lines of their own.
    print(f"finetune: {line}", file=sys.stderr)
    return ValueError(line)


OmegaConf.register_new_resolver("folder", folder, replace=True)
