"""Whether the files of a revision are those that its dvc.lock says.

DVC does not ask that of its own cache: it trusts a file there that is read-only, and what it
linked into a workspace. So all of them are read here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.auditing.checkout import Checkout, is_of
from finetune.core import paths
from finetune.core.files import parse_json, read_text, short_hash
from finetune.forms.entries import HASHES

PARAMS = "params.yaml"


@dataclass(frozen=True)
class Hashes:
    """How many hashes of dvc.lock are those of the files, and what is wrong by path.

    `missing` are files and folders that are not here, and so were not looked at.
    """

    right: int
    wrong: dict[str, str]
    missing: tuple[str, ...]


def of(there: Checkout) -> Hashes:
    """Compare all that the stages of the tasks, and `report`, read and wrote."""
    right, missing = 0, set(there.missing)
    wrong: dict[str, str] = {}
    for stage, path, what, state in _states(there):
        # Of what was written otherwise, its readers need not be told.
        if state == "same":
            right += 1
        elif state == "deleted":
            missing.add(path)
        elif path == PARAMS:
            wrong.setdefault(f"{path} {stage}", f"{path}: {state}: is not what {stage} {what}")
        else:
            wrong.setdefault(path, f"{path}: is not what {stage} {what}")
    for task in there.tasks:
        file = there.root / paths.metrics(task, "train")
        if paths.adapter(task).as_posix() not in wrong and not _is_of_adapter(there, task, file):
            name = paths.metrics(task, "train").as_posix()
            wrong.setdefault(name, f"{name}: is of another adapter than {paths.adapter(task)}")
    return Hashes(right, wrong, tuple(sorted(missing)))


def _states(there: Checkout) -> Iterator[tuple[str, str, str, str]]:
    """Stage, path, how the stage is related to it, and what DVC calls its state; outs first."""
    from dvc.repo import Repo

    root = there.root.resolve()
    # A cache of hashes of its own, which is removed with the folder.
    config = {"core": {"site_cache_dir": str(root.parent / "dvc")}}
    with Repo(str(root), config=config) as repo:
        stages = [stage for stage in repo.index.stages if is_of(stage.name, there.tasks)]
        for stage in stages:
            for out in stage.outs:
                yield stage.name, out.def_path, "wrote", _state(out)
        for stage in stages:
            for dep in stage.deps:
                what = "was run with" if dep.def_path == PARAMS else "read"
                yield stage.name, dep.def_path, what, _state(dep)


def _state(entry: Any) -> str:
    """`same`, `modified`, `deleted` or `new`; of parameters the keys that are not as they were.

    DVC's cache is not looked at: what DVC finds damaged there it removes.
    """
    state = entry.workspace_status()
    if not state:
        return "same"
    (found,) = state.values()
    return found if isinstance(found, str) else ", ".join(found)


def _is_of_adapter(there: Checkout, task: str, file: Path) -> bool:
    """Whether train.json has the hash of the weights, where it has one."""
    if not file.is_file():
        return True
    train = parse_json(read_text(file), str(file)).get(task, {}).get("train", {})
    known = [train[key] for key in HASHES if key in train]
    weights = [there.root / paths.adapter(task) / name for name in paths.TRAINED]
    trained = next((file for file in weights if file.is_file()), None)
    return not known or (trained is not None and short_hash(trained) in known)
