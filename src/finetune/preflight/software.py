"""Python and packages against the pins, Git, and the DVC remote."""

import platform
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from finetune.preflight.finding import Finding, fail, ok, warning

SETUP = "run `make setup`, or pip install -r requirements.txt"


def python(root: Path) -> Iterator[Finding]:
    """Python's version against pyproject.toml, and packages against requirements.txt."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted, found = project["requires-python"], platform.python_version()
    if found in SpecifierSet(wanted):
        yield ok(f"Python {found}")
    else:
        yield fail(f"Python {found}", f"this project needs {wanted}")
    differing = [
        f"{name} is {there or 'missing'}, pinned to {pin}"
        for name, pin in _pins(root / "requirements.txt")
        # A GPU build says so behind a plus: 2.13.0+cu130.
        if (there := _version(name)) is None or there.partition("+")[0] != pin
    ]
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        yield fail("packages: " + "; ".join(differing[:3]) + more, SETUP)
    else:
        yield ok("packages are those of requirements.txt")


def _pins(file: Path) -> Iterator[tuple[str, str]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if "==" in text:
            requirement = Requirement(text)
            yield requirement.name, str(requirement.specifier).removeprefix("==")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def git(root: Path) -> Iterator[Finding]:
    """A name for commits, and a tree without changes: experiments are commits."""
    lacking = [key for key in ("user.name", "user.email") if not _git(root, "config", key)]
    if lacking:
        todo = " and ".join(f"git config --global {key} …" for key in lacking)
        yield fail("Git does not know who you are", todo)
    else:
        yield ok(f"Git identity {_git(root, 'config', 'user.name')}")
    changed = _git(root, "status", "--porcelain").splitlines()
    if changed:
        yield warning(
            f"{len(changed)} changed or new files, such as {changed[0][3:]}",
            "commit them, or they become part of the experiment (and are missing from --queue)",
        )
    else:
        yield ok("the tree is clean")


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.rstrip()


def remote(root: Path) -> Iterator[Finding]:
    """The default DVC remote, and whether it answers."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        name = repo.config["core"].get("remote")
        if name is None:
            yield warning(
                "no DVC remote: models and predictions stay on this machine",
                "dvc remote add --default storage s3://…, and commit .dvc/config",
            )
            return
        url = repo.config["remote"].get(name, {}).get("url", "")
        try:
            there = repo.cloud.get_remote()
            there.fs.exists(there.path)
        # An s3 client's errors are not a local folder's: the first line is what a person needs.
        except Exception as error:
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            todo = "see its url and credentials, and that dvc-s3 or its kind is installed"
            yield fail(f"DVC remote {name} ({url}) does not answer: {said}", todo)
        else:
            yield ok(f"DVC remote {name} ({url}) answers")
