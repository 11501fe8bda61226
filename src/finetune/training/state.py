"""Checkpoints of a training run: sealed by a manifest, verified on resume, rotated when sealed.

The Trainer writes a checkpoint file by file. Its manifest is written last, when all of them are on
disk: a folder without one is a save that was killed, one that does not match it is damaged.
"""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from finetune.core.files import sha256

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint-"
DAMAGED = "damaged-"
MANIFEST = "manifest.json"
# The best ones are kept besides: of the run, and of each of these when it was saved.
RECENT = 2


def step_of(checkpoint: Path) -> int:
    """The number of optimizer steps before a checkpoint."""
    return int(checkpoint.name.removeprefix(CHECKPOINT))


def checkpoints(state: Path) -> list[Path]:
    """All checkpoints of a run state, complete or not, the earliest first."""
    found = [path for path in state.glob(f"{CHECKPOINT}*") if path.is_dir()]
    return sorted((path for path in found if path.name[len(CHECKPOINT) :].isdigit()), key=step_of)


def seal(checkpoint: Path) -> None:
    """Write the manifest of a checkpoint, sizes and SHA-256 by file name, after all is on disk."""
    files = sorted(file for file in checkpoint.iterdir() if file.name != MANIFEST)
    for file in files:
        _sync(file)
    entries = {file.name: [file.stat().st_size, sha256(file)] for file in files}
    new = checkpoint / f".{MANIFEST}.partial"
    new.write_text(json.dumps(entries, indent=2), encoding="utf-8")
    _sync(new)
    new.replace(checkpoint / MANIFEST)
    _sync(checkpoint)
    _sync(checkpoint.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def damage(checkpoint: Path) -> str | None:
    """What is wrong with a sealed checkpoint, or with the best one that it refers to."""
    try:
        manifest = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        for name, (size, digest) in manifest.items():
            file = checkpoint / name
            if not file.is_file():
                return f"{name} is missing"
            if file.stat().st_size != size:
                return f"{name} has {file.stat().st_size} bytes of {size}"
            if sha256(file) != digest:
                return f"{name} has changed"
        best = _best(checkpoint)
    except (OSError, ValueError, TypeError, AttributeError):
        return "its JSON cannot be read"
    if best is None or best == checkpoint:
        return None
    if not (best / MANIFEST).is_file():
        return f"the best one so far, {best.name}, is missing"
    return f"the best one so far, {best.name}, is damaged" if damage(best) else None


def _best(checkpoint: Path) -> Path | None:
    """The checkpoint of the best validation loss when this one was saved."""
    text = (checkpoint / "trainer_state.json").read_text(encoding="utf-8")
    best: Any = json.loads(text).get("best_global_step")
    return checkpoint.with_name(f"{CHECKPOINT}{best}") if best else None


def last_checkpoint(state: Path) -> Path | None:
    """The latest checkpoint that is whole.

    Incomplete ones after it are removed; damaged ones are renamed `damaged-…`, with a warning.
    """
    for checkpoint in reversed(checkpoints(state)):
        if not (checkpoint / MANIFEST).is_file():
            shutil.rmtree(checkpoint)
            continue
        what = damage(checkpoint)
        if what is None:
            return checkpoint
        aside = checkpoint.with_name(f"{DAMAGED}{checkpoint.name}")
        shutil.rmtree(aside, ignore_errors=True)
        checkpoint.rename(aside)
        log.warning(
            f"{checkpoint} is damaged ({what}): set aside as {aside.name}; training resumes from "
            "the one before it, or anew"
        )
    return None


def rotate(state: Path, best_step: int | None) -> None:
    """Remove all but the latest checkpoints and the best ones; call it when the last is sealed.

    One that another refers to as its best stays with it: without, that one could not be used.
    """
    *earlier, _ = found = checkpoints(state)
    kept = {step_of(checkpoint) for checkpoint in found[-RECENT:]} | {best_step}
    kept |= {step_of(best) for checkpoint in found[-RECENT:] if (best := _best(checkpoint))}
    for checkpoint in earlier:
        if step_of(checkpoint) not in kept:
            # Without its manifest, what a kill leaves of it is incomplete, not damaged.
            (checkpoint / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(checkpoint, ignore_errors=True)
