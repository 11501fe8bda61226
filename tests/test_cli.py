import os
import shutil
import subprocess
import sys
from pathlib import Path

import fake_hub
import pytest

from finetune import cli

ROOT = Path(__file__).parent.parent
FINETUNE = [sys.executable, "-m", "finetune.cli"]


def test_each_module_of_commands_is_a_command():
    modules = {file.stem for file in (ROOT / "src/finetune/commands").glob("*.py")}
    assert modules - {"__init__", "common"} == {name.replace("-", "_") for name in cli.COMMANDS}


def test_elsewhere_it_says_where_to_run_it(tmp_path):
    done = subprocess.run(
        [*FINETUNE, "show"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.endswith("no dvc.yaml here; run it in the repository's root\n")
    assert done.stderr.count("\n") == 1


def test_results_of_other_parameters_are_shown_with_a_warning(tmp_path):
    for name in ("dvc.yaml", "dvc.lock", "params.yaml", "metrics"):
        (tmp_path / name).symlink_to(ROOT / name)

    def show() -> str:
        return subprocess.run(
            [*FINETUNE, "show"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    assert "Warning" not in show()
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").unlink()
    (tmp_path / "params.yaml").write_text(params.replace("  r: 16\n", "  r: 64\n"))
    *_, last = show().splitlines()
    assert last.startswith("Warning: workspace: predictions of samsum were made with lora.r = 16")


def test_a_pin_is_written_and_told_with_what_is_then_to_do(tmp_path):
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    with fake_hub.serving() as served:
        model = served.commit("models", "Qwen/Qwen3-8B", {"config.json": b"{}"})
        data = served.commit("datasets", "knkarthick/samsum", {"train.csv": b""})

        def pin(*what: str, **environment: str) -> subprocess.CompletedProcess:
            return subprocess.run(
                [*FINETUNE, "pin", *what],
                cwd=tmp_path,
                env={**os.environ, **served.environment(tmp_path / "cache"), **environment},
                capture_output=True,
                text=True,
                check=False,
            )

        done = pin("model=qwen3-8b", "data=samsum")
        assert done.stderr == ""
        of_model, of_data, hint = done.stdout.splitlines()
        assert of_model.endswith(f" → {model}")
        assert of_data == f"conf/task/samsum.yaml: revision: null → {data}"
        assert hint == "params.yaml still has the old commit: update it with `finetune params`"
        for what, environment, said in (
            ("model=qwen3-4b", {}, "finetune: Qwen/Qwen3-4B: no such model on the hub, or it is"),
            ("model=qwen3-8b", {"HF_HUB_OFFLINE": "1"}, "finetune: Qwen/Qwen3-8B: HF_HUB_OFFLINE "),
        ):
            done = pin(what, **environment)
            assert (done.returncode, done.stdout) == (2, "")
            (line,) = done.stderr.splitlines()
            assert line.startswith(said)


def test_a_reader_that_stops_reading_is_no_mistake():
    with subprocess.Popen(
        [*FINETUNE, "show"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


@pytest.fixture
def repository(tmp_path) -> Path:
    """What `show` reads."""
    for name in ("dvc.yaml", "dvc.lock", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    return tmp_path


def conflict(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{{\n<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n", encoding="utf-8")


def half(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8")[:40], encoding="utf-8")


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("damage", "name", "said"),
    [
        (conflict, "metrics/price/base.json", "line 2: a conflict of Git (<<<<<<< HEAD); resolve"),
        (conflict, "params.yaml", "line 2: a conflict of Git (<<<<<<< HEAD); resolve"),
        (half, "metrics/price/base.json", "line 4: no JSON ("),
        (folder_instead, "params.yaml", "Is a directory; there is a folder where a file"),
    ],
)
def test_a_damaged_file_is_one_line(repository, damage, name, said):
    damage(repository / name)
    done = subprocess.run(
        [*FINETUNE, "show"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"finetune: {name}: {said}")


def test_a_conflict_in_the_lock_is_told_under_the_results(repository):
    conflict(repository / "dvc.lock")
    done = subprocess.run(
        [*FINETUNE, "show"], cwd=repository, capture_output=True, text=True, check=True
    )
    *_, last = done.stdout.splitlines()
    assert last.startswith("Warning: dvc.lock of workspace: line 2: a conflict of Git")
