"""Where a run keeps what it needs to go on after a kill: outside the outs, which DVC may remove."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from finetune.core.files import sha256

CHECKPOINT = "checkpoint-"
LIBRARIES = ("accelerate", "bitsandbytes", "peft", "torch", "transformers")
SMALL = 64 * 2**20  # bytes


def folder(task: str, identity: dict[str, Any]) -> Path:
    """The run state of one task under one identity: the parameters and hashes of what goes in.

    DVC sets DVC_ROOT to the main repository, in the workspace as in temporary checkouts.
    """
    text = json.dumps(identity, sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Path(os.environ.get("DVC_ROOT", ".")) / ".runstate" / f"{task}-{key}"


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Keeps the run state to one process: a second one, such as another queue worker, waits.

    When the block ends well, the state has served and is removed.
    """
    state.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(state.with_suffix(".lock")):
        yield
        shutil.rmtree(state, ignore_errors=True)


def last_checkpoint(state: Path) -> Path | None:
    """The latest complete checkpoint; one that a kill cut short is removed.

    The Trainer writes `trainer_state.json` last: a checkpoint that has it has everything.
    """
    found = sorted(state.glob(f"{CHECKPOINT}*"), key=lambda p: int(p.name.removeprefix(CHECKPOINT)))
    for checkpoint in reversed(found):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            shutil.rmtree(checkpoint)
            continue
        return checkpoint
    return None


def code_identity(dvc_yaml: Path, stage: str) -> dict[str, str]:
    """The hashes of the code that a stage depends on, and the versions of what it is built on.

    A checkpoint of other code must not become part of this run: DVC runs a stage again after an
    edit of its code, and what it makes is locked as made by the new code.
    """
    entry = yaml.safe_load(dvc_yaml.read_text(encoding="utf-8"))["stages"][stage]
    root = dvc_yaml.parent
    code = [root / dep for dep in entry.get("do", entry)["deps"] if dep.startswith("src/")]
    files = sorted(f for path in code for f in ([path] if path.is_file() else path.rglob("*.py")))
    hashes = {str(file.relative_to(root)): sha256(file) for file in files}
    return hashes | {name: version(name) for name in LIBRARIES}


def file_identity(path: Path) -> dict[str, Any]:
    """What tells a model folder from another without reading gigabytes.

    Small files count by their hash: in a temporary checkout of Git they have new times. Large ones,
    which lie elsewhere, count by size and time.
    """
    identity: dict[str, Any] = {}
    for file in sorted(file for file in path.glob("*") if file.is_file()):
        found = file.stat()
        small = found.st_size <= SMALL
        identity[file.name] = sha256(file) if small else [found.st_size, found.st_mtime_ns]
    return identity
