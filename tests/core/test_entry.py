import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from finetune.core.entry import task_of

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


def fetch(folder: Path, *arguments: str, dvc_stage: str = "") -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "finetune.stages.fetch", *arguments]
    env = {**os.environ, "DVC_STAGE": dvc_stage}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=env)


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
    written = {file.name for file in repository.iterdir()}
    assert written - {".runstate"} == {"params.yaml", "dvc.yaml"}


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


@pytest.mark.parametrize(
    ("address", "task"),
    [
        ("fetch@price", "price"),
        ("../dvc.yaml:fetch@price", "price"),
        ("fetch@x;id>FILE", "x;id>FILE"),
        ("fetch@a:b", "a:b"),
        ("fetch@x\ny", "x\ny"),
        ("prepare@price", None),
        ("report", None),
        ("fetch", None),
        ("", None),
    ],
)
def test_a_stage_knows_its_task_by_its_address(address, task):
    assert task_of("fetch", address) == task


def test_dvc_tells_a_stage_its_task(repository):
    edit(repository / "params.yaml", ("train: 600", "train: 5"))
    done = fetch(repository, dvc_stage="dvc.yaml:fetch@price")
    assert (done.returncode, done.stderr) == (0, "")
    assert (repository / "data/raw/price/source.json").is_file()


def test_without_a_task_it_says_what_to_type(repository):
    done = fetch(repository)
    assert done.returncode == 2
    assert done.stderr == "finetune: fetch: which task? python -m finetune.stages.fetch TASK\n"


def test_a_name_that_is_none_is_refused_before_anything_is_done(repository):
    victim = repository / "victim"
    victim.mkdir()
    (victim / "keep").touch()
    edit(repository / "params.yaml", ("\n  price:\n", f"\n  {victim}:\n"))
    done = fetch(repository, dvc_stage=f"fetch@{victim}")
    assert done.returncode == 2
    assert "cannot be a task's name" in done.stderr
    assert [file.name for file in victim.iterdir()] == ["keep"]
    assert not (repository / "data").exists()


def conflict(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n", encoding="utf-8")


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("damage", "name", "said"),
    [
        (conflict, "params.yaml", "params.yaml: line 1: a conflict of Git (<<<<<<< HEAD); "),
        (conflict, "dvc.yaml", "dvc.yaml: line 1: a conflict of Git (<<<<<<< HEAD); "),
        (folder_instead, "params.yaml", "params.yaml: Is a directory; "),
        (folder_instead, "dvc.yaml", "dvc.yaml: Is a directory; "),
        (no_text, "params.yaml", "params.yaml: not UTF-8 (byte 0: 0xff); "),
        (no_text, "dvc.yaml", "dvc.yaml: not UTF-8 (byte 0: 0xff); "),
    ],
)
def test_a_damaged_file_is_one_line(repository, damage, name, said):
    damage(repository / name)
    done = fetch(repository, "price")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"finetune: fetch@price: {said}")


def test_a_file_where_a_folder_belongs_is_one_line(repository):
    (repository / "data").touch()
    done = fetch(repository, "price")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("finetune: fetch@price: data/raw")


STAGE = """
import os, time
from pathlib import Path
from finetune.core.files import replaced_folder
from finetune.core import entry

def run(params):
    with replaced_folder(Path("out")) as folder:
        (folder / "half").touch()
        Path("pid").write_text(str(os.getpid()))
        time.sleep(60)

entry.main(run)
"""


@pytest.fixture
def project(repository) -> Path:
    """A pipeline of one stage, `wait`, which is in the midst of writing for a minute."""
    (repository / "dvc.yaml").write_text(
        "stages:\n  wait:\n    cmd: python wait.py\n    outs: [{out: {persist: true}}]\n"
    )
    (repository / "wait.py").write_text(textwrap.dedent(STAGE))
    return repository


@pytest.fixture
def started(project) -> Iterator:
    """Runs a command until its stage is in the midst of it, and gives both."""
    running = []

    def start(*command: str, **variables: str) -> tuple[subprocess.Popen, psutil.Process]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, **variables}
        process = subprocess.Popen(
            command, cwd=project, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        running.append(process)
        deadline = time.monotonic() + 30
        while not (project / "pid").is_file() or not (project / "pid").read_text():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        stage = psutil.Process(int((project / "pid").read_text()))
        running.append(stage)
        return process, stage

    yield start
    for process in running:
        if isinstance(process, subprocess.Popen):
            process.kill()
            process.communicate()
        elif process.is_running():
            process.kill()


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGTERM, 143, "finetune: stopped by SIGTERM"),
        (signal.SIGHUP, 129, "finetune: stopped by SIGHUP"),
        (signal.SIGINT, 130, "finetune: wait: stopped by Ctrl-C; the same command runs it again"),
    ],
)
def test_a_signal_ends_a_stage_in_one_line_and_leaves_nothing(project, started, number, code, said):
    process, _ = started(sys.executable, "wait.py")
    process.send_signal(number)
    _, printed = process.communicate(timeout=20)
    assert (process.returncode, printed) == (code, f"{said}\n")
    assert not list(project.glob(".out*"))
    assert not (project / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="environments cannot be read everywhere")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])  # dash stays, bash is replaced
def test_a_stage_ends_with_the_dvc_that_ran_it(project, started, number, shell):
    for command in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=project, check=True)
    process, stage = started(sys.executable, "-m", "dvc", "repro", SHELL=shell)
    process.send_signal(number)
    process.wait(timeout=20)
    stage.wait(timeout=20)
    assert not list(project.glob(".out*"))
