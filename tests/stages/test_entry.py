import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path) -> Path:
    """What a stage needs of the repository to start."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def edit(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def fetch(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "finetune.stages.fetch", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("changes", "task", "said"),
    [
        ([("  r: 16", "  r: 0")], "samsum", "params.yaml: lora.r: is 0, must be greater than or"),
        ([("lora:", "lora: [")], "samsum", "params.yaml: cannot be read: "),
        ([], "prices", "tasks: no task 'prices'; known: samsum, price"),
        (
            [("source: embedded", "source: files"), ("root: null", "root: nowhere")],
            "price",
            "data.root: nowhere/price is no folder; ",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(repository, changes, task, said):
    edit(repository / "params.yaml", *changes)
    done = fetch(repository, task)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"finetune: fetch@{task}: {said}")
    assert done.stdout == ""
    assert {file.name for file in repository.iterdir()} == {"params.yaml", "dvc.yaml"}


def test_a_stage_that_ends_well_says_nothing_and_writes_its_outs(repository):
    edit(repository / "params.yaml", ("train: 600", "train: 5"))
    done = fetch(repository, "price")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    source = json.loads((repository / "data/raw/price/source.json").read_text())
    assert source["splits"]["train"]["rows"] == 5


def test_a_mistake_of_ours_is_a_traceback(repository):
    edit(repository / "dvc.yaml", ("        - data.root\n", ""))
    done = fetch(repository, "price")
    assert done.returncode == 1
    assert "UndeclaredParameter: stage fetch reads data.root, which dvc.yaml" in done.stderr
