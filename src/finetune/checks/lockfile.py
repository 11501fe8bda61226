"""Whether dvc.lock and the committed metrics belong to the current code and parameters."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from finetune.core import lock as lock_file
from finetune.core import pipeline_yaml, yaml_text
from finetune.core.errors import FileError
from finetune.core.files import read_text

UP_TO_DATE = "Data and pipelines are up to date."


def problems(root: Path) -> list[str]:
    """Stages that `dvc repro` would run in a fresh clone with the files of the working tree."""
    if gone := _gone(root):
        return [f"dvc.lock: {', '.join(gone)}: no such stage any more; delete what it says of it"]
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        copy_working_tree(root, clone)
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing"],
            cwd=clone,
            capture_output=True,
            text=True,
            check=False,
        )
    output = done.stdout + done.stderr
    if UP_TO_DATE in output:
        return []
    # A dry run fails at a stage without inputs in the clone, and names it.
    stages = re.findall(r"(?:Running stage|failed to reproduce) '([^']+)'", output)
    if stages:
        return [
            f"dvc.lock: {', '.join(stages)} would run again: code, parameters or metrics differ "
            "from those of the locked run; run `dvc repro`, then commit dvc.lock and metrics/"
        ]
    return [f"dvc.lock: `dvc repro --dry --allow-missing` says: {' '.join(output.split())[:500]}"]


def _gone(root: Path) -> list[str]:
    """The entries of dvc.lock that are of no stage of dvc.yaml: DVC keeps them for good."""
    stages = pipeline_yaml.stages(root / "dvc.yaml")
    lock = root / "dvc.lock"
    locked = lock_file.stages(read_text(lock), str(lock)) if lock.is_file() else {}
    tasks = _sections(root / "params.yaml").get("tasks") or {}
    known = {
        name
        for stage, entry in stages.items()
        for name in ([f"{stage}@{task}" for task in tasks] if "foreach" in entry else [stage])
    }
    return [name for name in locked if name not in known]


def _sections(file: Path) -> dict[str, Any]:
    content = yaml_text.read(file) if file.is_file() else None
    if content is not None and not isinstance(content, dict):
        raise FileError(f"{file}: holds no sections; see `git diff {file.name}`")
    return content or {}


def copy_working_tree(root: Path, clone: Path) -> None:
    """Clone `root`, with the current content of tracked and of new, not ignored files."""
    command = ["git", "clone", "--quiet", str(root), str(clone)]
    subprocess.run(command, check=True, capture_output=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):  # in whatever encoding
        source, target = root / name, clone / name
        target.unlink(missing_ok=True)
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
