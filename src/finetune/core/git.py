"""Git, as a person's shell would run it: with its own credentials, proxies and keys."""

import os
import subprocess
from pathlib import Path

from finetune.core.errors import UserError, squeezed


def git(root: Path, *arguments: str) -> str:
    """What a command prints, without blanks at its end; names of files in whatever encoding.

    Raises:
        UserError: it failed.
    """
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    if done.returncode:
        said = squeezed(os.fsdecode(done.stderr)) or f"exit code {done.returncode}"
        raise UserError(f"git {arguments[0]}: {said}")
    return os.fsdecode(done.stdout).rstrip()


def try_git(root: Path, *arguments: str) -> str:
    """The same; empty where it fails, or there is no Git."""
    try:
        return git(root, *arguments)
    except (UserError, OSError):
        return ""
