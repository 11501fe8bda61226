"""Mistakes of a user, in a clone in which the pipeline has run: each one line, nothing lost."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_clone import QUICK, ROOT, Clone, ran

from finetune.core.restore import UNDO

pytestmark = pytest.mark.slow

# What the stages write that may run before a mistake in data is met.
OUTS_OF = {"fetch": "data/raw/{}/", "prepare": "data/prepared/{0}/|metrics/{0}/data.json"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone in which the quick experiment has run, and is committed."""
    made = Clone.of_quick(tmp_path_factory)
    made.git("add", "-A")
    made.git("commit", "--quiet", "-m", "The quick experiment")
    return made


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-S", "lora.rank=3"], "lora.rank: is not a parameter; known here: r, alpha, alpha_ratio"),
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
    # What did run is undone as the last of our lines says: by Git, and by DVC from its cache.
    assert (f"`{UNDO}`" in printed) == ("Running stage" in printed)
    by_git, by_dvc = UNDO.split(" && ")
    clone.git(*by_git.split()[1:])
    clone.dvc(*by_dvc.split()[1:])
    assert clone.git("status", "--porcelain") == ""
    assert clone.state() == before


def test_training_stays_within_the_memory_that_it_is_given_or_refuses_in_one_line(clone):
    file = clone.folder / "params.yaml"
    text = file.read_text()
    assert "memory_gb: null" in text
    metrics = clone.folder / "metrics/samsum/train.json"
    before = metrics.read_text()

    def trained(gb: float) -> subprocess.CompletedProcess[str]:
        file.write_text(text.replace("memory_gb: null", f"memory_gb: {gb}"))
        return subprocess.run(
            [sys.executable, "-m", "finetune.stages.train", "samsum"],
            cwd=clone.folder,
            env={**os.environ, "PYTHONPATH": str(clone.folder / "src")},
            capture_output=True,
            text=True,
            check=False,
        )

    refused = trained(0.2)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("finetune: ")]
    assert "train@samsum: the longest row has" in line
    assert "; 0.0 GB are free" in line
    assert metrics.read_text() == before

    done = trained(1.0)
    assert done.returncode == 0, done.stderr
    run = json.loads(metrics.read_text())["samsum"]["train"]["run"]
    assert run["peak_memory_gb"] <= 1.0
    clone.git("checkout", "--quiet", ".")
    # Run by hand, not by DVC: what it wrote into hardware/ is in no cache.
    clone.dvc("checkout", "--quiet", "--force")


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
