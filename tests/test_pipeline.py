"""The pipeline as a user runs it: `dvc exp run` in a clone, on a few rows of the embedded data."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.checks.lockfile import copy_working_tree

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
OUTS = ("data", "models", "predictions", "metrics", "reports")
# What the stages write that may run before a mistake in data is met.
OUTS_OF = {"fetch": "data/raw/{}/", "prepare": "data/prepared/{0}/|metrics/{0}/data.json"}
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

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def dvc(self, *arguments: str, fails: bool = False) -> str:
        """What `dvc …` prints; it must succeed, or fail where that is expected."""
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder / "src"),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, said
        return said

    def run(self, *arguments: str, fails: bool = False) -> str:
        return self.dvc("exp", "run", *arguments, fails=fails)

    def metrics(self, task: str, name: str) -> dict:
        return json.loads((self.folder / "metrics" / task / f"{name}.json").read_text())[task]

    def state(self) -> dict[str, str]:
        """The hash of every file among the outs."""
        files = [f for out in OUTS for f in (self.folder / out).rglob("*") if f.is_file()]
        return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(files)}


def ran(said: str) -> set[str]:
    return set(re.findall(r"^Running stage '(.+)':", said, re.MULTILINE))


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone in which the quick experiment has run once."""
    made = Clone(tmp_path_factory.mktemp("clone") / "repository")
    made.run(*QUICK)
    made.first = made.state()
    return made


def test_it_writes_metrics_of_both_tasks_and_a_report(clone):
    summaries, prices = clone.metrics("samsum", "tuned"), clone.metrics("price", "tuned")
    assert summaries["n"] == prices["n"] == 32
    for scores, metric in ((summaries, "rouge1"), (prices, "mae")):
        interval, gain = scores["interval"][metric], scores["gain"][metric]
        assert interval["low"] <= scores[metric] <= interval["high"]
        assert gain["low"] <= gain["mean"] <= gain["high"]
    before, after = clone.metrics("price", "base")["base"]["mae"], prices["mae"]
    assert prices["gain"]["mae"]["mean"] == pytest.approx(after - before, abs=1e-3)
    assert set(clone.metrics("samsum", "ladder")["ladder"]) == {"lead3", "longest3"}
    assert set(clone.metrics("price", "ladder")["ladder"]) == {
        "mean", "median", "ridge", "ridge_log",
    }  # fmt: skip
    assert clone.metrics("samsum", "data")["data"]["train"]["kept"] == 64
    report = (clone.folder / "reports/report.md").read_text()
    assert f"{summaries['rouge1']:.2f} [" in report
    curve = (clone.folder / "metrics/price/curves/validation_loss.tsv").read_text().splitlines()
    assert curve[0] == "step\tvalidation_loss"
    assert curve[-1].startswith("4\t")


def test_what_is_done_is_not_done_again(clone):
    assert ran(clone.run(*QUICK)) == set()
    assert "up to date" in clone.dvc("repro")


def test_another_rank_reruns_training_and_evaluation_alone(clone):
    said = clone.run(*QUICK, "-S", "lora.r=4")
    assert ran(said) == {
        "train@samsum", "train@price", "evaluate@samsum", "evaluate@price", "report",
    }  # fmt: skip
    diff = clone.dvc("metrics", "diff", "--all")
    assert "samsum.rouge1" in diff
    assert "price.mae" in diff


def test_the_same_seed_gives_the_same_predictions_and_scores_from_scratch(clone):
    # Back from the other rank: trains and evaluates anew. The stages before that are forced.
    assert "train@samsum" in ran(clone.run(*QUICK))
    first = [f"{stage}@price" for stage in ("fetch", "prepare", "ladder", "base")]
    assert ran(clone.dvc("repro", "--force", "--single-item", *first)) == set(first)
    after = clone.state()
    assert clone.first.keys() == after.keys()
    moved = {Path(name).name for name in after if clone.first[name] != after[name]}
    # What is measured of the machine, and the page that shows it.
    assert moved <= {"train.json", "report.md"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-S", "lora.rank=3"], "lora.rank: is not a parameter; known here: r, alpha, dropout"),
        (["-S", "lora.r=0"], "lora.r: is 0, must be greater than or equal to 1"),
        (["-S", "data=files"], "data.root: is not set"),
        (["-S", "data=files", "-S", "data.root=nowhere"], "data.root: no folder 'nowhere'"),
        (["-S", "data=files", "-S", "data.root={data}/cut"], "samsum/train.json: line 5: no JSON"),
        (["-S", "data=files", "-S", "data.root={data}/lacking"], "row 2: summary is missing"),
        (["-S", "data=files", "-S", "data.root={data}/abc"], "price is 'abc', must be a number"),
        (["-S", "model=local", "-S", "model.name={data}/empty"], "holds no weights"),
    ],
)
def test_a_mistake_is_one_line_and_loses_nothing(clone, tmp_path, options, said):
    _write_data(tmp_path)
    before = clone.state()
    printed = clone.run(*QUICK, *(o.format(data=tmp_path) for o in options), fails=True)
    ours = [line for line in printed.splitlines() if line.startswith("finetune: ") and said in line]
    assert ours, printed
    assert "Traceback" not in printed
    # Stages before the one that stopped have done their work; nothing else has changed.
    done = [
        OUTS_OF[stage].format(task)
        for stage, _, task in (name.partition("@") for name in list(ran(printed)))
        if stage in OUTS_OF
    ]
    after = clone.state()
    moved = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert [name for name in moved if not re.search("|".join(done) or "^$", name)] == []
    assert not [name for name in moved if re.search("predictions|models|reports|tuned", name)]
    clone.run(*QUICK)
    assert clone.state() == before


def _write_data(folder: Path) -> None:
    """Data folders and a model folder, each with one mistake in it."""
    dialogues = [
        {"id": str(n), "dialogue": f"Anna: Is it {n}?\nTom: Yes.", "summary": f"It is {n}."}
        for n in range(300)
    ]
    products = [
        {"id": str(n), "text": f"Lamp {n}", "price": n, "category": None} for n in range(300)
    ]
    for name in ("cut", "lacking", "abc"):
        for number, split in enumerate(("train", "val", "test")):
            file = folder / name / "samsum" / f"{split}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(dialogues[number * 100 : number * 100 + 100], indent=0))
        for number, split in enumerate(("train", "test")):
            file = folder / name / "price" / f"{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = products[number * 100 : number * 100 + 100]
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cut = folder / "cut/samsum/train.json"
    cut.write_text("\n".join(cut.read_text().splitlines()[:4]) + "\n")
    lacking = folder / "lacking/samsum/train.json"
    rows = json.loads(lacking.read_text())
    lacking.write_text(
        json.dumps(
            [{k: v for k, v in r.items() if k != "summary"} if n else r for n, r in enumerate(rows)]
        )
    )
    abc = folder / "abc/price/test.jsonl"
    abc.write_text(abc.read_text().replace('"price": 1', '"price": "abc", "was": 1'))
    shutil.copytree(
        ROOT / "models/embedded", folder / "empty", ignore=shutil.ignore_patterns("*.safetensors")
    )


def test_branches_are_compared_in_a_clone_without_cache_or_remote(clone, tmp_path):
    clone.git("add", "-A")
    clone.git("commit", "--quiet", "-m", "The quick experiment")
    clone.git("switch", "--quiet", "-c", "other")
    clone.run(*QUICK, "-S", "tasks.price.eval.estimate=greedy")
    clone.git("commit", "--quiet", "-am", "Greedy prices")
    bare = tmp_path / "elsewhere"
    clone.git("clone", "--quiet", ".", str(bare))
    main = clone.git("rev-parse", "other~1").strip()
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "metrics", "diff", main, "other", "--json"],
        cwd=bare,
        capture_output=True,
        text=True,
        check=True,
    )
    changed = json.loads(done.stdout)["metrics/price/tuned.json"]
    assert changed["price.mae"]["diff"] != 0


def test_one_task_runs_alone(clone):
    said = clone.run(*QUICK, "-S", "~tasks.price")
    assert ran(said) == {"report"}  # what it says of SAMSum is done already
    assert "@price" not in said
    assert "## price" not in (clone.folder / "reports/report.md").read_text()
