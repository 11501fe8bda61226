"""The workflow runs no text that others choose, and no action but the one that was read."""

import re
from pathlib import Path

import pytest
import yaml

FILES = sorted((Path(__file__).parent.parent / ".github/workflows").glob("*.y*ml"))
PINNED = re.compile(r"uses: *[\w.-]+/[\w./-]+@[0-9a-f]{40} +# v\d+(\.\d+){2}$")


def steps(file: Path) -> list[dict]:
    jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_there_is_a_workflow():
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_command_holds_an_expression(file):
    """It is pasted in before the shell reads it: a branch called `";id;"` would run."""
    commands = [step["run"] for step in steps(file) if "run" in step]
    assert commands
    assert [command for command in commands if "${{" in command] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside(file):
    """A tag can be moved to other code."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert len(lines) == len([step for step in steps(file) if "uses" in step])
    assert [line for line in lines if not PINNED.search(line)] == []
