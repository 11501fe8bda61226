"""The run state, from which a killed stage resumes: outside the outs, which DVC may remove."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from filelock import FileLock

from finetune.core import pipeline_yaml, processes
from finetune.core.files import sha256
from finetune.core.hub_state import HubState
from finetune.core.remote_state import RemoteState
from finetune.core.schema import PushState, Section

LIBRARIES = ("accelerate", "bitsandbytes", "peft", "torch", "transformers")
# Of larger files so many blocks are read, from the first to the last.
MAX_HASHED_BYTES = 64 * 2**20
BLOCKS, BLOCK_BYTES = 64, 2**16

_remotes: dict[Path, list[RemoteState | HubState]] = {}


def root() -> Path:
    """Where all run states are: in the main repository, which DVC_ROOT names in temporary ones."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".runstate"


def folder(stage: str, task: str, identity: dict[str, Any]) -> Path:
    """The folder of a stage's run state, named by a hash of the run's identity: all its inputs."""
    text = json.dumps(identity, sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return root() / f"{stage}-{task}-{key}"


@contextlib.contextmanager
def locked(state: Path, push: PushState = False, hub: str | None = None) -> Iterator[None]:
    """Lock the run state in this context; a second process, such as a queue worker, waits.

    If the context ends without an error, the run state is removed. With `push` (`run.push_state`)
    `saved` copies it to DVC's remote, with `hub` (`run.hub`) to that repository; where it is
    missing here, a copy is fetched. The copies are removed with it, but for a `push` that is
    `until_pushed`: see `RemoteState`. Of several processes of a stage only the main one locks, and
    the others wait for it.
    """
    if not processes.is_main():
        processes.barrier()
        yield
        return
    state.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(state.with_suffix(".lock")):
        remotes: list[RemoteState | HubState] = []
        remotes += [RemoteState(state, is_kept=push == "until_pushed")] if push else []
        remotes += [HubState(state, hub)] if hub else []
        _remotes[state.resolve()] = remotes
        for remote in remotes:
            remote.pull()
        processes.barrier()
        try:
            yield
        finally:
            _remotes.pop(state.resolve(), None)
        for remote in remotes:
            remote.end()
        shutil.rmtree(state, ignore_errors=True)


def saved(state: Path) -> None:
    """To be called when a run state was saved: copies it, where `locked` was asked to."""
    # The Trainer knows the folder by a relative path, `locked` by that of DVC_ROOT.
    for remote in _remotes.get(state.resolve(), []):
        remote.push()


def identity(
    stage: str,
    kind: str,
    sections: Sequence[Section],
    files: Sequence[Path],
    model: str,
    watched: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """What a stage's result depends on: parameters, data, model and code.

    `kind` is the task's; `files` are read in full, the folder `model` as in `file_identity`;
    `watched`: see `code_identity`.
    """
    return {
        "params": [section.model_dump() for section in sections],
        "data": [sha256(file) for file in files],
        "model": file_identity(Path(model)),
        "code": code_identity(Path("dvc.yaml"), stage, kind, watched),
    }


def code_identity(
    dvc_yaml: Path, stage: str, kind: str, watched: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Hashes of the source files that a stage depends on, and the versions of its libraries.

    Of a task's kind these are the files of `kind`; `watched` are those that a parameter names, by
    the parameter. A checkpoint of other code must not be resumed from: DVC runs a stage again after
    an edit of its code, and locks its outs as those of the new code.
    """
    root = dvc_yaml.parent
    declared = pipeline_yaml.stage(dvc_yaml, stage).get("deps", [])
    deps = [dep.replace("${item.kind}", kind) for dep in declared]
    deps = [watched.get(dep, dep) for dep in deps]
    code = [root / dep for dep in deps if dep.startswith("src/")]
    files = sorted(f for path in code for f in (path.rglob("*.py") if path.is_dir() else [path]))
    hashes = {str(file.relative_to(root)): sha256(file) for file in files}
    return hashes | {name: version(name) for name in LIBRARIES}


def file_identity(path: Path) -> dict[str, Any]:
    """The identity of a model folder, computed without reading gigabytes, by file name.

    Small files are hashed, of large ones the size and some blocks: another model differs in all of
    them. Times are not asked for: they are new in a temporary checkout and on another machine.
    """
    identity: dict[str, Any] = {}
    for file in sorted(file for file in path.glob("*") if file.is_file()):
        is_small = file.stat().st_size <= MAX_HASHED_BYTES
        identity[file.name] = sha256(file) if is_small else _sampled(file)
    return identity


def _sampled(path: Path) -> list[Any]:
    """Size, and a hash of blocks that are spread evenly over a file."""
    size, digest = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        for block in range(BLOCKS):
            file.seek(max(0, size - BLOCK_BYTES) * block // (BLOCKS - 1))
            digest.update(file.read(BLOCK_BYTES))
    return [size, digest.hexdigest()]
