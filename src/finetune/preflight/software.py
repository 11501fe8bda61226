"""Checks of Python and packages against the pins, of Git, and of the DVC remote."""

import platform
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from finetune.core.errors import ParamsError
from finetune.core.git import try_git
from finetune.preflight.finding import Finding, fail, ok, warning

SETUP = "run `make setup`, or pip install -r requirements.txt"


def python(root: Path) -> Iterator[Finding]:
    """Python's version against pyproject.toml, and packages against requirements.txt."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required, installed = project["requires-python"], platform.python_version()
    if installed in SpecifierSet(required):
        yield ok(f"Python {installed}")
    else:
        yield fail(f"Python {installed}", f"this project needs {required}")
    differing = [
        f"{name} is {there or 'missing'}, pinned to {pin}"
        for name, pin in _pins(root / "requirements.txt")
        # GPU builds have a local version label: 2.13.0+cu130.
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
    """Whether Git has an identity and the tree is clean: experiments are commits."""
    lacking = [key for key in ("user.name", "user.email") if not try_git(root, "config", key)]
    if lacking:
        todo = " and ".join(f"git config --global {key} …" for key in lacking)
        yield fail("Git has no identity for commits", todo)
    else:
        yield ok(f"Git identity {try_git(root, 'config', 'user.name')}")
    changed = try_git(root, "status", "--porcelain").splitlines()
    if changed:
        yield warning(
            f"{len(changed)} changed or new files, such as {changed[0][3:]}",
            "commit them, or they become part of the experiment (and are missing from --queue)",
        )
    else:
        yield ok("the tree is clean")


def trackers(names: Sequence[str]) -> Iterator[Finding]:
    """Whether the trackers of `run.report_to` can be used: a run finds out in its train stage."""
    from finetune.training import tracking  # imports transformers

    try:
        tracking.check(names)
    except ParamsError as error:
        yield fail(str(error), "or leave it out of run.report_to")
    else:
        if names:
            yield ok(f"trackers: {', '.join(names)}")


def remote(root: Path) -> Iterator[Finding]:
    """Whether there is a default DVC remote that answers."""
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
        # Each kind of remote raises its own errors; their first line is what matters.
        except Exception as error:
            message = (str(error).splitlines() or [type(error).__name__])[0][:200]
            todo = "see its url and credentials, and that its plugin, such as dvc-s3, is installed"
            yield fail(f"DVC remote {name} ({url}) does not answer: {message}", todo)
        else:
            yield ok(f"DVC remote {name} ({url}) answers")
