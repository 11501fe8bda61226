"""A few dialogues and a tiny model, for the stages that load one and those that score."""

import copy
import shutil
from pathlib import Path
from typing import cast

import pytest
import yaml

from finetune.core import params, paths
from finetune.core.files import write_json, write_jsonl
from finetune.core.params import Declared, StageParams
from finetune.core.schema import MIXED, NOT_FOR_SELECTION, TAKEN, WATCHED, Lora

ROOT = Path(__file__).parents[2]
KEYS = ["model", "method", "lora", "bootstrap", "data"]
DIALOGUES = [
    {"id": str(n), "dialogue": f"Anna: Is it {n}?\nTom: Yes, it is.", "summary": f"It is {n}."}
    for n in range(6)
]

PRODUCTS = [
    {"id": str(n), "text": f"A lamp of {n} watts", "price": 10.0 * n, "category": None}
    for n in range(1, 7)
]
ROWS = {"samsum": DIALOGUES, "price": PRODUCTS}


@pytest.fixture
def declared(tmp_path, monkeypatch, tiny_model):
    """Gives the parameters of a stage over a few dialogues, in an empty folder to work in."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["model"] |= {"name": str(tiny_model), "source": "local"}
    values["method"] |= {"quantization": "none", "compute_dtype": "float32"}
    values["bootstrap"]["resamples"] = 100
    values["tasks"]["samsum"]["prompt"]["max_completion_tokens"] = 8
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("*.pyc"))
    for task, rows in ROWS.items():
        for split in paths.SPLITS:
            file = paths.prepared(task) / f"{split}.jsonl"
            write_jsonl(file, rows[:4] if split == "validation" else rows)
    write_json(paths.prepared("samsum") / "clusters.json", {"test": [["1", "4"]]})

    def made(
        train: dict[str, object] | None = None,
        method: dict[str, object] | None = None,
        name: str = "samsum",
        model: str | None = None,
        lora: dict[str, object] | None = None,
        **run: object,
    ) -> StageParams:
        changed = copy.deepcopy(values)
        changed["method"] |= method or {}
        changed["lora"] |= lora or {}
        if model:
            changed["model"]["name"] = model
        changed["run"] |= run
        task = changed["tasks"][name]
        if method:  # it need not fit the other tasks
            changed["tasks"] = {name: task}
        task["train"] |= train or {}
        if task["train"]["select_by"] == "score":  # as conf/ composes it
            asked = {k: v for k, v in task["eval"].items() if k not in NOT_FOR_SELECTION}
            task["train"]["selection"] = {
                "watch": WATCHED["score"], "primary": task["primary"],
                "eval": asked, "score": task["score"],
            }  # fmt: skip
        if task["train"]["mix"]:
            prompts = {
                other: {"kind": changed["tasks"][other]["kind"],
                        "prompt": changed["tasks"][other]["prompt"]}
                for other in task["train"]["mix"]
            }  # fmt: skip
            data, code = MIXED
            task["train"]["mixed"] = {"data": data, "code": code, "tasks": prompts}
        if task["train"]["adapter_of"]:
            task["train"]["mixed"]["data"] = TAKEN.format(task["train"]["adapter_of"])
        return cast(
            StageParams,
            Declared(params.validate(changed, "test"), "base", [f"tasks.{name}", *KEYS], name),
        )

    return made


@pytest.fixture
def adapter(load, tiny_model, declared) -> None:
    """An adapter that is new, and adds nothing."""
    options = Lora(r=2, alpha=4.0, dropout=0.0, target_modules="all-linear")
    from finetune.methods import adapters
    from finetune.methods.lora import attach

    adapters.save(attach(load(tiny_model).model, options), paths.adapter("samsum"))
