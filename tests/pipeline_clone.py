"""A clone of the working tree in which tests run the pipeline as a user does."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import planted
import pytest
from filelock import FileLock

from finetune.checks.lockfile import copy_working_tree

ROOT = Path(__file__).parent.parent
OUTS = ("data", "models", "predictions", "metrics", "reports")
# A smoke test of the whole pipeline on a few rows.
QUICK = ("-S", "experiment=quick")


class Clone:
    """A clone of the working tree, and commands in it."""

    first: dict[str, str]  # the outs' hashes after the first run

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        copy_working_tree(ROOT, folder)
        self.git("config", "user.email", "test@example.com")
        self.git("config", "user.name", "Test")
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "The working tree")

    @classmethod
    def at(cls, folder: Path) -> "Clone":
        """A clone that is there already."""
        clone = cls.__new__(cls)
        clone.folder = folder
        return clone

    @classmethod
    def of_quick(cls, factory: pytest.TempPathFactory) -> "Clone":
        """A clone in which the quick experiment has run: once for all test processes."""
        shared = factory.getbasetemp()
        if "PYTEST_XDIST_WORKER" in os.environ:
            shared = shared.parent
        ran = shared / "quick"
        with FileLock(f"{ran}.lock"):
            if not ran.is_dir():
                made = cls(factory.mktemp("quick") / "repository")
                # With keys, of which nothing may be written: see test_secrets.py.
                with pytest.MonkeyPatch.context() as patch:
                    planted.plant(patch)
                    said = made.run(*QUICK)
                assert planted.MARK not in said
                made.folder.rename(ran)
        folder = factory.mktemp("clone") / "repository"
        shutil.copytree(ran, folder, symlinks=True)
        return cls.at(folder)

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def dvc(self, *arguments: str, fails: bool = False, python_path: Path | None = None) -> str:
        """What `dvc …` prints; it must succeed, or fail where that is expected.

        Modules of `python_path` come before installed ones.
        """
        code, said = self._call("dvc", *arguments, python_path=python_path)
        assert (code != 0) == fails, said
        return said

    def finetune(self, *arguments: str, code: int = 0) -> str:
        """What `finetune …` prints; it must end with this exit code."""
        returned, said = self._call("finetune.cli", *arguments)
        assert returned == code, said
        return said

    def _call(
        self, module: str, *arguments: str, python_path: Path | None = None
    ) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                # Relative: queued experiments run in checkouts of their own.
                "PYTHONPATH": os.pathsep.join(map(str, filter(None, (python_path, "src")))),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def run(self, *arguments: str, fails: bool = False) -> str:
        return self.dvc("exp", "run", *arguments, fails=fails)

    def metrics(self, task: str, name: str) -> dict:
        return json.loads((self.folder / "metrics" / task / f"{name}.json").read_text())[task]

    def state(self) -> dict[str, str]:
        """The hash of every file among the outs."""
        files = [f for out in OUTS for f in (self.folder / out).rglob("*") if f.is_file()]
        return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(files)}

    def moved(self) -> set[str]:
        """The names of the outs that are not as after the first run."""
        after = self.state()
        assert self.first.keys() == after.keys()
        return {Path(name).name for name in after if self.first[name] != after[name]}


def ran(said: str) -> set[str]:
    return set(re.findall(r"^Running stage '(.+)':", said, re.MULTILINE))
