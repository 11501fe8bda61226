"""The outside world of a rented box: a bare Git repository, and a folder as DVC's remote."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from pipeline_clone import ROOT, Clone

RUN = ROOT / "cloud/run.sh"
DVC = (sys.executable, "-m", "dvc")
# A box of this test has the packages already: its `make setup` makes an environment of those here.
MAKE = f"""#!/bin/sh
[ -e .venv ] || ln -s {sys.prefix} .venv
"""


def run(folder: Path, *command: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    """A new repository `here` with DVC and nothing committed, its origin a bare one beside it."""
    here = folder / "here"
    here.mkdir()
    run(folder, "git", "init", "--quiet", "--bare", "origin.git")
    run(here, "git", "init", "--quiet")
    run(here, "git", "config", "user.name", "Test")
    run(here, "git", "config", "user.email", "test@example.com")
    run(here, "git", "remote", "add", "origin", "../origin.git")
    run(here, *DVC, "init", "--quiet")
    run(here, *DVC, "config", "core.analytics", "false")
    return here


class World:
    """Both remotes, and boxes that know nothing else."""

    def __init__(self, folder: Path, repository: Clone) -> None:
        self.folder, self.laptop = folder, repository
        self.git, self.storage = folder / "origin.git", folder / "storage"
        self.storage.mkdir()
        repository.git("init", "--quiet", "--bare", str(self.git))
        repository.dvc("remote", "add", "--default", "storage", str(self.storage))
        repository.git("commit", "--quiet", "-am", "A remote")
        repository.git("remote", "remove", "origin")
        repository.git("remote", "add", "origin", str(self.git))
        repository.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
        repository.git("--git-dir", str(self.git), "symbolic-ref", "HEAD", "refs/heads/main")
        self.commands = folder / "commands"
        self.commands.mkdir()
        self.command("make", MAKE)

    def command(self, name: str, script: str) -> None:
        """What a box finds by this name."""
        file = self.commands / name
        file.write_text(script, encoding="utf-8")
        file.chmod(0o755)

    def git_output(self, *arguments: str) -> str:
        """What Git says at the Git remote."""
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.git, check=True, capture_output=True, text=True)
        return done.stdout

    def experiments(self) -> list[str]:
        """The names of those that are at the Git remote."""
        refs = self.git_output("for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
        return [ref.rpartition("/")[2] for ref in refs]

    def run_states(self) -> list[Path]:
        """The copies of run states that are in the storage."""
        return sorted((self.storage / "runstate").glob("*-*"))


class Box:
    """A machine with an empty home."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.home = world, world.folder / name
        self.home.mkdir()
        self.work, self.down = self.home / "work", self.home / "down"

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """`cloud/run.sh` with these arguments, in a session of its own."""
        path = os.pathsep.join([str(self.world.commands), os.environ["PATH"]])
        return subprocess.Popen(
            ["bash", str(RUN), *arguments],
            cwd=self.home,
            env={
                **os.environ,
                "HOME": str(self.home),
                "PATH": path,
                "PYTHONPATH": "src",  # of its clone, not of the environment
                "REPO": str(self.world.git),
                "WORK": str(self.work),
                "PUSH_MINUTES": "0",
                "SHUTDOWN": f"touch {self.down}",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Its exit code, and what it printed."""
        running = self.start(*arguments, **environment)
        said, _ = running.communicate(timeout=300)
        return running.returncode, said

    def vanish(self, running: "subprocess.Popen[str]") -> None:
        """All its processes at once, and then its disk."""
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        shutil.rmtree(self.home)
