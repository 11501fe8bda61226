import subprocess
import sys

import pytest

from finetune.core import paths
from finetune.core.files import read_json, read_jsonl, read_tsv, write_jsonl
from finetune.stages import base, evaluate, predict


def test_scores_gain_groups_and_validation_come_out_of_the_predictions(declared, adapter):
    base.run(declared(), "samsum")
    evaluate.run("base", declared(), "samsum")
    untuned = read_json(paths.metrics("samsum", "base"))["samsum"]
    assert set(untuned) == {"base", "few_shot"}
    assert (untuned["base"]["n"], untuned["base"]["validation"]["n"]) == (6, 4)
    assert untuned["few_shot"]["protocol"]["shots"] == 2

    assert (untuned["base"]["protocol"]["draws"], "draws" in untuned["base"]) == (1, False)
    assert untuned["few_shot"]["protocol"]["draws"] == 3
    for scores in (untuned["few_shot"], untuned["few_shot"]["validation"]):
        assert (scores["draws"]["n"], scores["draws"]["of"]) == (3, "examples")
        values = scores["draws"]["perplexity"]["values"]
        assert len(set(values)) == 3  # other examples, other likelihoods
        assert values[0] == scores["perplexity"]
        assert 0 <= scores["draw_agreement"] <= 100
    assert "draw_agreement" not in untuned["base"]
    assert "draw_agreement" in untuned["few_shot"]["interval"]
    scored = read_jsonl(paths.scored("samsum", "few_shot"))
    assert [row["id"] for row in scored] == [str(n) for n in range(6)]
    assert not any("draw" in row for row in scored)
    for name in ("base", "few_shot"):
        validated = read_jsonl(paths.scored("samsum", name, "validation"))
        assert [row["id"] for row in validated] == [str(n) for n in range(4)]

    predict.run(declared(), "samsum")
    evaluate.run("tuned", declared(), "samsum")
    tuned = read_json(paths.metrics("samsum", "tuned"))["samsum"]
    assert "run" not in tuned
    assert tuned["rouge1"] == untuned["base"]["rouge1"]
    assert tuned["gain"]["rouge1"]["mean"] == 0
    assert tuned["validation"].keys() == {*tuned["gain"], "n", "no_answer_rate"}
    assert tuned["forgetting"]["n"] == 60
    assert tuned["forgetting"]["page"]["difference"]["mean"] == pytest.approx(0, abs=1e-3)
    scored = read_jsonl(paths.scored("samsum", "tuned"))
    assert [row["id"] for row in scored] == [str(n) for n in range(6)]
    assert {"prediction", "reference", "rouge1"} <= scored[0].keys()
    assert [row["cluster"] for row in scored] == ["0", "1", "2", "3", "1", "5"]
    assert paths.groups("samsum").read_text().startswith("by\tgroup\tmodel\trows\trouge1")
    assert len(paths.plot("samsum", "rows").read_text().splitlines()) == 7


def test_it_waits_for_no_library_of_models():
    code = "import sys, finetune.stages.evaluate; print({'torch', 'transformers'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_base_that_says_nothing_has_no_scores_and_nothing_gains_over_it(declared, adapter):
    base.run(declared(), "samsum")
    predict.run(declared(), "samsum")
    for split in ("test", "validation"):
        file = paths.predictions("samsum", "base", split)
        write_jsonl(file, [{**row, "prediction": "", "empty": True} for row in read_jsonl(file)])
    evaluate.run("base", declared(), "samsum")
    evaluate.run("tuned", declared(), "samsum")
    untuned = read_json(paths.metrics("samsum", "base"))["samsum"]["base"]
    assert (untuned["n"], untuned["empty"], untuned["no_answer_rate"]) == (6, 6, 100.0)
    assert not {"rouge1", "answered"} & untuned.keys()
    assert untuned["validation"] == {"n": 4, "no_answer_rate": 100.0}
    tuned = read_json(paths.metrics("samsum", "tuned"))["samsum"]
    assert "rouge1" in tuned
    assert tuned["gain"] == {}
    groups = read_tsv(paths.groups("samsum"))
    assert {row["rouge1"] == "" for row in groups if row["model"] == "base"} == {True}
    assert {row["rouge1"] == "" for row in groups if row["model"] == "tuned"} == {False}
    assert paths.plot("samsum", "rows").read_text() == "base\ttuned\n"


def test_without_few_shot_prompts_their_files_are_empty(declared):
    asked = declared()
    options = asked.task.eval.model_copy(update={"shots": 0})
    object.__setattr__(asked._values.tasks["samsum"], "eval", options)
    base.run(asked, "samsum")
    evaluate.run("base", asked, "samsum")
    assert paths.predictions("samsum", "few_shot").read_text() == ""
    assert paths.scored("samsum", "few_shot").read_text() == ""
    assert set(read_json(paths.metrics("samsum", "base"))["samsum"]) == {"base"}
