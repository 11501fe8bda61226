"""The stages `base` and `predict` with a tiny model, and what `evaluate` makes of their files."""

import copy
import functools
from pathlib import Path
from typing import cast

import pytest
import yaml

from finetune.core import params, paths
from finetune.core.files import read_json, read_jsonl, write_jsonl
from finetune.core.params import Declared, StageParams
from finetune.core.schema import Lora
from finetune.modeling import adapters
from finetune.stages import base, evaluate, predict

ROOT = Path(__file__).parents[2]
KEYS = ["tasks.samsum", "model", "method", "bootstrap"]
DIALOGUES = [
    {"id": str(n), "dialogue": f"Anna: Is it {n}?\nTom: Yes, it is.", "summary": f"It is {n}."}
    for n in range(6)
]


@pytest.fixture
def declared(tmp_path, monkeypatch, tiny_model):
    """Gives the parameters of a stage over a few dialogues, in an empty folder to work in."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["model"] |= {"name": str(tiny_model), "source": "local"}
    values["method"] |= {"quantization": "none", "compute_dtype": "float32"}
    values["bootstrap"]["resamples"] = 100
    values["tasks"]["samsum"]["prompt"]["max_completion_tokens"] = 8
    monkeypatch.chdir(tmp_path)
    for split in paths.SPLITS:
        rows = DIALOGUES[:4] if split == "validation" else DIALOGUES
        write_jsonl(paths.prepared("samsum") / f"{split}.jsonl", rows)

    def made(**run: object) -> StageParams:
        changed = copy.deepcopy(values)
        changed["run"] |= run
        return cast(StageParams, Declared(params.validate(changed, "test"), "base", KEYS, "samsum"))

    return made


@pytest.fixture
def adapter(load, tiny_model, declared) -> None:
    """An adapter that is new, and adds nothing."""
    options = Lora(r=2, alpha=4.0, dropout=0.0, target_modules="all-linear")
    adapters.save(adapters.attach(load(tiny_model).model, options), paths.adapter("samsum"))


def test_predictions_do_not_depend_on_the_budgets_which_are_written_beside(declared):
    predictions = []
    for budget in (64, 4096):
        base.run(declared(eval_token_budget=budget, cache_gb=0.25), "samsum")
        run = read_json(paths.metrics("samsum", "predict_base"))["samsum"]["predict_base"]["run"]
        assert run == {"prompt_tokens": budget, "cache_gb": 0.25}
        rows = read_jsonl(paths.predictions("samsum", "base"))
        for row in rows:
            del row["reference_nll"]  # equal up to rounding
        predictions.append(rows)
    assert predictions[0] == predictions[1]
    assert [row["id"] for row in predictions[0]] == [row["id"] for row in DIALOGUES]


def test_the_untuned_model_predicts_validation_and_test_with_and_without_examples(declared):
    base.run(declared(), "samsum")
    for name in ("base", "few_shot"):
        for split, count in (("validation", 4), ("test", 6)):
            rows = read_jsonl(paths.predictions("samsum", name, split))
            assert len(rows) == count
            assert {"id", "prediction", "reference", "reference_nll"} <= rows[0].keys()
            assert "rouge1" not in rows[0]  # scoring is another stage
            assert ("shots" in rows[0]) == (name == "few_shot")


def test_scores_gain_groups_and_validation_come_out_of_the_predictions(declared, adapter):
    base.run(declared(), "samsum")
    functools.partial(evaluate.run, "base")(declared(), "samsum")
    untuned = read_json(paths.metrics("samsum", "base"))["samsum"]
    assert set(untuned) == {"base", "few_shot"}
    assert (untuned["base"]["n"], untuned["base"]["validation"]["n"]) == (6, 4)
    assert untuned["few_shot"]["protocol"]["shots"] == 2

    predict.run(declared(eval_token_budget=128, cache_gb=0.5), "samsum")
    run = read_json(paths.metrics("samsum", "predict"))["samsum"]["predict"]["run"]
    assert run == {"prompt_tokens": 128, "cache_gb": 0.5}
    evaluate.run("tuned", declared(), "samsum")
    tuned = read_json(paths.metrics("samsum", "tuned"))["samsum"]
    assert "run" not in tuned
    assert tuned["rouge1"] == untuned["base"]["rouge1"]
    assert tuned["gain"]["rouge1"]["mean"] == 0
    assert tuned["validation"].keys() == {*tuned["gain"], "n"}
    scored = read_jsonl(paths.scored("samsum", "tuned"))
    assert [row["id"] for row in scored] == [row["id"] for row in DIALOGUES]
    assert {"prediction", "reference", "rouge1"} <= scored[0].keys()
    assert paths.groups("samsum").read_text().startswith("by\tgroup\tmodel\trows\trouge1")
    assert len(paths.plot("samsum", "rows").read_text().splitlines()) == 7


def test_without_few_shot_prompts_their_files_are_empty(declared):
    asked = declared()
    options = asked.task.eval.model_copy(update={"shots": 0})
    object.__setattr__(asked._values.tasks["samsum"], "eval", options)
    base.run(asked, "samsum")
    evaluate.run("base", asked, "samsum")
    assert paths.predictions("samsum", "few_shot").read_text() == ""
    assert paths.scored("samsum", "few_shot").read_text() == ""
    assert set(read_json(paths.metrics("samsum", "base"))["samsum"]) == {"base"}
