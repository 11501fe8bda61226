"""Where a run keeps what it needs to go on after a kill: outside the outs, which DVC may remove."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from finetune.files import sha256

CHECKPOINT = "checkpoint-"
SMALL = 64 * 2**20  # bytes


def folder(task: str, identity: dict[str, Any]) -> Path:
    """The run state of one task under one identity: the parameters and hashes of what goes in.

    DVC sets DVC_ROOT to the main repository, in the workspace as in temporary checkouts.
    """
    text = json.dumps(identity, sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Path(os.environ.get("DVC_ROOT", ".")) / ".runstate" / f"{task}-{key}"


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
