"""dvc.lock and the committed metrics: are they those of the current code and parameters?"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

UP_TO_DATE = "Data and pipelines are up to date."


def problems(root: Path) -> list[str]:
    """What `dvc repro` would run in a fresh clone that holds the files of the working tree."""
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
    said = done.stdout + done.stderr
    if UP_TO_DATE in said:
        return []
    # A stage whose inputs the clone lacks cannot even be run dry: DVC then fails at it, by name.
    stages = re.findall(r"(?:Running stage|failed to reproduce) '([^']+)'", said)
    if stages:
        return [
            f"dvc.lock: {', '.join(stages)} would run again: code, parameters or metrics are not "
            "those of the locked run; run `dvc repro`, then commit dvc.lock and metrics/"
        ]
    return [f"dvc.lock: `dvc repro --dry --allow-missing` says: {' '.join(said.split())[:500]}"]


def copy_working_tree(root: Path, clone: Path) -> None:
    """A clone with the files as they stand: tracked ones, and new ones that Git does not ignore."""
    subprocess.run(["git", "clone", "--quiet", str(root), str(clone)], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, target = root / name, clone / name
        target.unlink(missing_ok=True)
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
