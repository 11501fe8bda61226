"""The run state, from which a killed run resumes: outside the outs, which DVC may remove."""

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
from finetune.core.schema import Selection

CHECKPOINT = "checkpoint-"
LIBRARIES = ("accelerate", "bitsandbytes", "peft", "torch", "transformers")
MAX_HASHED_BYTES = 64 * 2**20  # larger files are identified without reading them


def folder(task: str, identity: dict[str, Any]) -> Path:
    """The folder of a task's run state, named by a hash of the run's identity: all its inputs.

    It is in the main repository, which DVC_ROOT names in temporary checkouts as well.
    """
    text = json.dumps(identity, sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Path(os.environ.get("DVC_ROOT", ".")) / ".runstate" / f"{task}-{key}"


@contextlib.contextmanager
def locked(state: Path) -> Iterator[None]:
    """Lock the run state in this context; a second process, such as a queue worker, waits.

    If the context ends without an error, the run state is removed.
    """
    state.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(state.with_suffix(".lock")):
        yield
        shutil.rmtree(state, ignore_errors=True)


def last_checkpoint(state: Path) -> Path | None:
    """The latest complete checkpoint; incomplete ones after it are removed.

    The Trainer writes `trainer_state.json` last: a checkpoint that has it is complete.
    """
    checkpoints = sorted(
        state.glob(f"{CHECKPOINT}*"), key=lambda p: int(p.name.removeprefix(CHECKPOINT))
    )
    for checkpoint in reversed(checkpoints):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            shutil.rmtree(checkpoint)
            continue
        return checkpoint
    return None


def code_identity(
    dvc_yaml: Path, stage: str, kind: str, selection: Selection | None = None
) -> dict[str, str]:
    """Hashes of the source files that a stage depends on, and the versions of its libraries.

    Of a task's kind these are the files of `kind`, and what a `selection` watches. A checkpoint of
    other code must not be resumed from: DVC runs a stage again after an edit of its code, and locks
    its outs as those of the new code.
    """
    entry = yaml.safe_load(dvc_yaml.read_text(encoding="utf-8"))["stages"][stage]
    root = dvc_yaml.parent
    deps = [dep.replace("${item.kind}", kind) for dep in entry.get("do", entry)["deps"]]
    if selection is not None:
        deps = [dep.replace("${item.train.selection.watch}", selection.watch) for dep in deps]
    code = [root / dep for dep in deps if dep.startswith("src/")]
    files = sorted(f for path in code for f in (path.rglob("*.py") if path.is_dir() else [path]))
    hashes = {str(file.relative_to(root)): sha256(file) for file in files}
    return hashes | {name: version(name) for name in LIBRARIES}


def file_identity(path: Path) -> dict[str, Any]:
    """The identity of a model folder, computed without reading gigabytes, by file name.

    Small files are hashed: in a temporary Git checkout their times are new. Large ones, which are
    not in Git, are identified by size and modification time.
    """
    identity: dict[str, Any] = {}
    for file in sorted(file for file in path.glob("*") if file.is_file()):
        stat = file.stat()
        is_small = stat.st_size <= MAX_HASHED_BYTES
        identity[file.name] = sha256(file) if is_small else [stat.st_size, stat.st_mtime_ns]
    return identity
