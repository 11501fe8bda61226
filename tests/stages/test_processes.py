"""Stages in two processes (`run.processes`), on a CPU: the results of one, written once."""

import contextlib
import copy
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file

from finetune.core import launch, params, paths
from finetune.core.files import read_json, read_tsv, write_jsonl
from finetune.core.schema import NOT_FOR_SELECTION, WATCHED
from finetune.methods import adapters
from finetune.stages import predict, train

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
STEPS, HASH = 40, "adapter_hash"
SECONDS_TO_END = 60  # of which far less is needed on a machine that does nothing else
# Rows of unequal length, two or three for each process and step.
ROWS = [
    {
        "id": str(n),
        "dialogue": f"Anna: Is it {n}?\nTom: {'Yes. ' * (n % 7)}",
        "summary": f"It is {n}.",
    }
    for n in range(40)
]


class Folder:
    """A folder with a few rows and parameters, in which stages run as a user starts them."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        folder.mkdir()
        shutil.copy(ROOT / "dvc.yaml", folder)
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.pyc"))
        for split in paths.SPLITS:
            rows = ROWS if split == "train" else ROWS[:6]
            write_jsonl(folder / paths.prepared("samsum") / f"{split}.jsonl", rows)
        self.values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        self.values["model"] |= {"name": str(model), "source": "local"}
        self.values["method"] |= {"quantization": "none", "compute_dtype": "float32"}
        task = self.values["tasks"]["samsum"]
        task["prompt"]["max_completion_tokens"] = 8
        task["train"] |= {"max_steps": STEPS, "epochs": 5.0, "batch_size": 5, "num_evals": 2}
        # Small steps, as Adam's first ones have the size of the learning rate whatever a gradient.
        task["train"] |= {"learning_rate": 1e-3}
        # Chosen by a score, for which both processes answer.
        task["score"]["max_no_answer"] = 1.0
        asked = {
            name: value for name, value in task["eval"].items() if name not in NOT_FOR_SELECTION
        }
        task["train"]["select_by"] = "score"
        task["train"]["selection"] = {
            "watch": WATCHED["score"], "primary": task["primary"],
            "eval": asked, "score": task["score"],
        }  # fmt: skip
        self.values["lora"] |= {"dropout": 0.1}

    def write_parameters(self, **run: object) -> None:
        values = copy.deepcopy(self.values)
        values["run"] |= run
        (self.folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    def start(self, stage: str, **run: object) -> "subprocess.Popen[str]":
        self.write_parameters(**run)
        return subprocess.Popen(
            [sys.executable, "-m", f"finetune.stages.{stage}", "samsum"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, stage: str, **run: object) -> str:
        """What a stage prints; it must end well."""
        process = self.start(stage, **run)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
        return said

    def run_here(self, stage: ModuleType) -> None:
        """Run a stage in this process."""
        self.write_parameters()
        with contextlib.chdir(self.folder):
            stage.run(params.for_stage(stage.__name__.rpartition(".")[2], "samsum"), "samsum")

    def adapter(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / paths.adapter("samsum") / adapters.WEIGHTS)

    def metrics(self) -> dict:
        return read_json(self.folder / paths.metrics("samsum", "train"))["samsum"]["train"]

    def losses(self) -> list[float]:
        files = sorted((self.folder / paths.curves("samsum")).glob("*_loss.tsv"))
        return [
            float(row["train_loss" if "train" in f.stem else f.stem])
            for f in files
            for row in read_tsv(f)
        ]

    def files(self) -> set[str]:
        """The outs, and the run state as far as it is not a lock."""
        return {
            str(file.relative_to(self.folder))
            for part in ("models", "metrics", "hardware", "predictions", ".runstate")
            for file in (self.folder / part).rglob("*")
            if file.is_file() and file.suffix != ".lock"
        }

    def predictions(self) -> dict[str, str]:
        folder = self.folder / "predictions"
        return {str(f.relative_to(folder)): f.read_text() for f in folder.rglob("*.jsonl")}

    def checkpoints(self) -> set[str]:
        sealed = self.folder.glob(".runstate/train-samsum-*/checkpoint-*/manifest.json")
        return {file.parent.name for file in sealed}


def furthest(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    assert first.keys() == second.keys()
    return max((first[name] - second[name]).abs().max().item() for name in first)


def ranks(process: "subprocess.Popen[str]") -> dict[int, psutil.Process]:
    children = psutil.Process(process.pid).children()
    return {int(child.environ()["RANK"]): child for child in children}


def is_running(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def in_training(folder: Folder) -> "subprocess.Popen[str]":
    """Two processes that have saved a checkpoint since they began."""
    before = folder.checkpoints()
    process = folder.start("train", processes=2, save_minutes=1e-9)
    while folder.checkpoints() == before:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


@pytest.fixture(scope="module")
def one(tmp_path_factory, tiny_model) -> Folder:
    """What one process gives."""
    folder = Folder(tmp_path_factory.mktemp("one") / "folder", tiny_model)
    folder.run_here(train)
    folder.run_here(predict)
    return folder


def test_two_processes_give_what_one_gives_and_write_it_once(one, tmp_path, tiny_model):
    two = Folder(tmp_path / "two", tiny_model)
    said = two.run("train", processes=2)
    weights = one.adapter()
    assert furthest(two.adapter(), weights) < 1e-4
    assert max(tensor.abs().max().item() for tensor in weights.values()) > 0.1
    assert two.losses() == pytest.approx(one.losses(), abs=1e-4)
    assert [folder.metrics()["run"]["processes"] for folder in (one, two)] == [1, 2]
    of_one, of_two = (
        {name: value for name, value in folder.metrics().items() if name not in ("run", HASH)}
        for folder in (one, two)
    )
    assert of_two == of_one
    assert of_one["selected_by"] == "score"
    assert said.count("micro-batches of") == 1
    assert "Traceback" not in said
    assert two.files() == {name for name in one.files() if "predict" not in name}

    # Of the same adapter, batches of the same rows.
    shutil.rmtree(two.folder / paths.adapter("samsum"))
    shutil.copytree(one.folder / paths.adapter("samsum"), two.folder / paths.adapter("samsum"))
    two.run("predict", processes=2)
    assert two.predictions() == one.predictions()
    assert two.files() == one.files()


def test_a_killed_rank_ends_the_other_and_any_number_of_processes_resumes(
    one, tmp_path, tiny_model
):
    two = Folder(tmp_path / "two", tiny_model)
    process = in_training(two)
    both = ranks(process)
    both[1].kill()
    said, _ = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == launch.RANK_DIED
    assert not any(map(is_running, both.values()))
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("finetune: ")]
    assert line.startswith("finetune: train@samsum: rank 1 was killed by SIGKILL: ")
    assert not (two.folder / paths.adapter("samsum")).exists()

    process = in_training(two)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "train@samsum: the last run was killed" in said
    (first,) = re.findall(r"resumes from step (\d+)", said)
    (second,) = re.findall(rf"stopped by Ctrl-C; saved after step (\d+) of {STEPS}; the same", said)
    assert 0 < int(first) < int(second) < STEPS

    two.run_here(train)
    assert two.metrics()["run"]["resumed_at_step"] == int(second)
    assert furthest(two.adapter(), one.adapter()) < 1e-4
    assert two.losses() == pytest.approx(one.losses(), abs=1e-4)
