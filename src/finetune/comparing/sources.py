"""Where the files of a run are read from: the workspace, or a revision in Git and DVC."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from finetune.core.errors import UserError
from finetune.core.files import read_text


@dataclass(frozen=True)
class Source:
    """The files of a run, by their paths in the repository.

    `text` gives a file and raises a UserError where there is none; `names` lists the files directly
    in a folder, none where there is no such folder. `commit` is that of a revision.
    """

    text: Callable[[str], str]
    names: Callable[[str], list[str]]
    commit: str | None = None


def workspace(root: Path) -> Source:
    """The files that lie here."""

    def text(path: str) -> str:
        try:
            return read_text(root / path)
        except FileNotFoundError:
            raise UserError(f"workspace: {path} is not there; run `dvc repro`") from None

    def names(folder: str) -> list[str]:
        here = root / folder
        return sorted(f.name for f in here.iterdir() if f.is_file()) if here.is_dir() else []

    return Source(text, names)


def revision(root: Path, name: str) -> Source:
    """The files of a commit, branch, tag or experiment.

    Raises:
        UserError: there is no such revision.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.fs import RemoteMissingDepsError
    from dvc.repo import Repo
    from dvc.scm import RevError, SCMError, resolve_rev

    try:
        with Repo(str(root)) as repo:
            commit = resolve_rev(repo.scm, name)
    except (RevError, SCMError) as error:
        if "not a git repository" in str(error):
            raise UserError(f"{name}: {error}; run it in a clone") from None
        raise UserError(
            f"{name}: no such commit, branch, tag or experiment, and no folder of a shelved run; "
            "`git branch -a` and `dvc exp list` show what there is, `dvc exp pull origin NAME` "
            "fetches an experiment"
        ) from None
    except DvcException as error:
        raise UserError(f"{name}: {' '.join(str(error).split())}") from None
    files = DVCFileSystem(url=str(root.resolve()), rev=commit)

    def text(path: str) -> str:
        if not files.exists(path):
            raise UserError(f"{name}: that revision has no {path}; was `dvc repro` run for it?")
        try:
            return files.read_text(path, encoding="utf-8")
        except RemoteMissingDepsError as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{name}: {path} is in a remote that cannot be read: {reason}"
            ) from None
        except UnicodeDecodeError:
            raise UserError(
                f"{name}: {path} is not UTF-8; was it written by `dvc repro`?"
            ) from None
        except (DvcException, OSError):
            raise UserError(
                f"{name}: {path} is in no cache here; `dvc fetch --all-commits` gets it from a "
                f"remote, `dvc exp pull origin {name}` that of an experiment; else run it here: "
                f"`git switch --detach {commit[:12]}` and `dvc repro`; where this machine rounds "
                "otherwise than the one it was made on, commit that run and compare with it"
            ) from None

    def names(folder: str) -> list[str]:
        try:
            listed = files.ls(folder, detail=True)
        except (DvcException, OSError):
            return []
        return sorted(Path(each["name"]).name for each in listed if each["type"] == "file")

    return Source(text, names, commit)
