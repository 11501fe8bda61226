"""The presets of conf/experiment/ and the prompts of conf/prompt/: composed, validated, planned."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.cli.parser import get_main_parser
from dvc.repo import Repo

from finetune.composition import compose, flat
from finetune.core import params
from finetune.core.schema import Params
from finetune.documents import command
from finetune.planning import machines, plan

ROOT = Path(__file__).parent.parent
PRESETS = sorted(file.stem for file in (ROOT / "conf/experiment").glob("*.yaml"))
VARIANTS = sorted(file.stem for file in (ROOT / "conf/prompt").glob("*.yaml"))
# The courses' recipes: their task, and as published its r, alpha, rate and batch; the parameters
# that an adapter of it has, by the shapes of the model.
RECIPES = {
    "samsum-llama-1b": ("samsum", (16, 32, 2e-4, 16), 1_703_936),
    "samsum-llama-3b": ("samsum", (16, 32, 2e-4, 16), 4_587_520),
    "price-llama-8b": ("price", (32, 64, 1e-4, 16), 27_262_976),
    "price-llama-3b": ("price", (256, 512, 1e-4, 256), 389_021_696),
}


def composed(*overrides: str) -> Params:
    return params.validate_text(compose(ROOT, list(overrides)), "conf")


def preset(name: str, documents: Path | None = None) -> Params:
    # Of the model that `make smollm2` makes, the embedded one stands in.
    absent = ["model.name=models/embedded"] if name == "smollm2" else []
    own = [f"data.root={documents}"] if name == "docs-assistant" else []
    return composed(f"experiment={name}", *absent, *own)


@pytest.fixture(scope="module")
def documents(tmp_path_factory) -> Path:
    """Pairs of this repository's own pages."""
    out = tmp_path_factory.mktemp("documents") / "pairs"
    command.run(ROOT, [ROOT / "README.md", ROOT / "docs"], command.Options(out))
    return out


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_planned_from_shapes_alone(name, documents, monkeypatch, tmp_path):
    settings = preset(name, documents)
    if settings.data.source == "hub":
        monkeypatch.chdir(tmp_path)  # without rows of an earlier run
    task = next(iter(settings.tasks))
    planned = plan.of(settings, task, machines.of("h200", None))
    assert planned.budget is not None
    assert planned.seconds > 0
    if name in RECIPES:
        assert list(settings.tasks) == [RECIPES[name][0]]
        assert planned.trainable == RECIPES[name][2]
        assert planned.rows.remark  # no rows of the hub: assumed, and marked


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_as_published(name):
    settings = preset(name)
    task, published, _ = RECIPES[name]
    train, lora = settings.tasks[task].train, settings.lora
    assert (lora.r, lora.alpha, train.learning_rate, train.batch_size) == published
    assert (lora.dropout, train.schedule) == (0.1, "cosine")
    assert settings.method.quantization == "nf4"


def test_the_warm_up_of_300_steps_is_of_50():
    train = preset("samsum-llama-1b").train
    assert train.max_steps is not None
    assert round(train.max_steps * train.warmup_ratio) == 50


def test_the_larger_model_has_the_recipe_of_the_smaller():
    small, large = (flat(compose(ROOT, [f"experiment=samsum-llama-{n}b"])) for n in (1, 3))
    assert small.keys() == large.keys()
    assert {key for key in small if small[key] != large[key]} == {"model.name", "model.revision"}


@pytest.mark.parametrize("name", RECIPES)
def test_the_pipeline_of_a_recipe_has_stages_of_its_task_alone(name, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(compose(ROOT, [f"experiment={name}"]), encoding="utf-8")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    stages = {stage.name for stage in Repo.init(no_scm=True).index.stages}
    assert {name.partition("@")[2] for name in stages - {"report"}} == {RECIPES[name][0]}


def test_a_task_that_a_preset_leaves_out_can_be_asked_for():
    settings = composed("experiment=samsum-llama-1b", "task@tasks.price=price")
    assert list(settings.tasks) == ["samsum", "price"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_prompt_changes_what_it_says_and_nothing_else(variant):
    task = "price" if variant.startswith("price") else "samsum"
    before = flat(compose(ROOT, []))
    after = flat(compose(ROOT, [f"prompt@tasks.{task}.prompt={variant}"]))
    params.validate_text(compose(ROOT, [f"prompt@tasks.{task}.prompt={variant}"]), variant)
    assert before.keys() == after.keys()
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {f"tasks.{task}.prompt.{key}" for key in ("instruction", "cue")}
    assert bool(changed) == (variant != "default")


def test_a_prompt_lies_over_a_task_that_was_added():
    added = ["+task@tasks.brief=samsum", "tasks.brief.prompt.max_tokens=99"]
    prompt = composed(*added, "+prompt@tasks.brief.prompt=no-cue").tasks["brief"].prompt
    assert (prompt.cue, prompt.max_tokens) == ("", 99)
    own = composed().tasks["samsum"].prompt
    assert prompt.instruction == own.instruction
    assert own.cue


def test_one_who_runs_a_preset_can_choose_another_prompt():
    chosen = composed("experiment=samsum-llama-1b", "prompt@tasks.samsum.prompt=default")
    assert chosen.tasks["samsum"].prompt == composed().tasks["samsum"].prompt


@pytest.fixture
def said(tmp_path, monkeypatch) -> Path:
    """A file to which `make`, `dvc` and `finetune` write how they are called, and do nothing."""
    log, programs = tmp_path / "said", tmp_path / "programs"
    programs.mkdir()
    for name in ("make", "dvc", "finetune"):
        file = programs / name
        file.write_text(f'#!/bin/sh\necho {name} "$@" >> {log}\n')
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return log


def results_script(*arguments: str) -> str:
    command = ["bash", str(ROOT / "bench/gpu_results.sh"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_script_for_a_gpu_runs_and_shelves_twelve(said):
    (said.parent / "results/samsum-smollm2-lora-r8-seed1").mkdir(parents=True)
    results_script(str(ROOT / "models"))
    lines = said.read_text().splitlines()
    assert lines[0] == "make smollm2"
    runs = [line.split()[1:] for line in lines if line.startswith("dvc exp run")]
    parsed = [get_main_parser().parse_args(run) for run in runs]
    names = [run.name for run in parsed]
    assert len(set(names)) == 11  # all but the one that is on the shelf
    assert names[0] == "samsum-smollm2-qlora-r8-seed1"
    shelved = [line for line in lines if line.startswith("finetune shelve")]
    assert shelved == [f"finetune shelve {name} --rev {name}" for name in names]
    overrides = [override.partition("=")[0] for override in parsed[-1].set_param]
    assert overrides[-3:] == ["method", "lora.r", "train.seed"]
    settings = composed(*parsed[-1].set_param, f"model.name={ROOT}/models/embedded")
    assert (list(settings.tasks), settings.lora.r, settings.train.seed) == (["samsum"], 64, 3)


def test_the_script_for_a_gpu_starts_no_run_after_its_minutes(said):
    assert "0 minutes are over before samsum-smollm2-qlora-r8-seed1" in results_script("DIR", "0")
    assert "dvc exp run" not in said.read_text()
