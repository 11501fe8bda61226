"""DVC's experiments in this repository."""

from dataclasses import dataclass
from pathlib import Path

from finetune.core.errors import UserError


@dataclass(frozen=True)
class Experiment:
    """An experiment with its commit and the text of its params.yaml."""

    name: str
    commit: str
    params: str


def experiments(root: Path) -> list[Experiment]:
    """All experiments, those of other commits too, by name; those without parameters left out."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import SCMError

    try:
        with Repo(str(root)) as repo:
            by_baseline = repo.experiments.ls(all_commits=True)
            listed = [
                Experiment(name, commit, params)
                for named in by_baseline.values()
                for name, commit in named
                if commit and (params := _params(repo, commit))
            ]
    except (DvcException, SCMError) as error:
        raise UserError(f"experiments: {' '.join(str(error).split())}") from None
    return sorted(listed, key=lambda each: (each.name, each.commit))


def _params(repo, commit: str) -> str:  # type: ignore[no-untyped-def]
    """The text of params.yaml at a commit; empty where it has none."""
    files = repo.scm.get_fs(commit)
    path = str(Path(repo.root_dir).relative_to(repo.scm.root_dir) / "params.yaml")
    if not files.exists(path):
        return ""
    with files.open(path, mode="r", encoding="utf-8") as file:
        return str(file.read())


def queued(root: Path) -> set[str]:
    """The names of experiments that wait in DVC's queue, or run."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        queue = repo.experiments.celery_queue
        return {each.name for each in (*queue.iter_queued(), *queue.iter_active()) if each.name}
