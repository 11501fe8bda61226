"""The stages by the reference, and `finetune engines` on what the stage train wrote."""

import json
import re
from pathlib import Path

import pytest
import yaml

from finetune import engines
from finetune.core import paths
from finetune.core.errors import ParamsError, UserError
from finetune.core.files import read_json, read_jsonl
from finetune.inference.engines import reference
from finetune.scoring import summary
from finetune.stages import base, predict, train

ROOT = Path()


def write_params(declared) -> None:
    values = declared._values.model_dump(mode="json")
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


@pytest.mark.parametrize("stage", ["base", "predict"])
def test_a_stage_answers_with_the_engine_that_run_names(declared, adapter, stage):
    name = {"base": "base", "predict": "tuned"}[stage]
    files = [
        *(paths.predictions("samsum", name, split) for split in ("validation", "test")),
        paths.general("samsum", name),
    ]
    found = []
    for engine in ("builtin", "transformers"):
        {"base": base, "predict": predict}[stage].run(declared(engine=engine), "samsum")
        found.append([row for file in files for row in read_jsonl(file)])
        (metrics,) = read_json(paths.metrics("samsum", stage.replace("base", "predict_base")))[
            "samsum"
        ].values()
        assert metrics["run"]["engine"] == engine
    nlls = [[row.pop("reference_nll", row.pop("nll", None)) for row in rows] for rows in found]
    assert found[0] == found[1]
    assert nlls[0] == pytest.approx(nlls[1], rel=1e-4, abs=1e-4)


def test_an_engine_answers_with_a_number_head_too(declared, monkeypatch):
    method = {"tuner": "regression_head"}
    train.run(declared({"max_steps": 3}, method=method, name="price"), "price")
    answers = []
    for engine in ("builtin", "transformers"):
        predict.run(declared(method=method, name="price", engine=engine), "price")
        rows = read_jsonl(paths.predictions("price", "tuned"))
        answers.append([row["crps"] for row in rows])
    assert answers[0] == pytest.approx(answers[1], rel=1e-3)
    monkeypatch.setattr(reference, "last_outputs", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict.run(declared(method=method, name="price", engine="transformers"), "price")


def test_a_stage_without_its_engine_says_so_before_it_loads_a_model(declared, adapter):
    for stage in (base, predict):
        with pytest.raises(ParamsError, match=r"run\.vllm_python: is null"):
            stage.run(declared(engine="vllm"), "samsum")


def test_two_engines_are_compared_on_the_first_rows(declared, adapter, capsys, monkeypatch):
    monkeypatch.setattr(engines, "is_silent", lambda *_: False)
    write_params(declared())
    before = {file for file in ROOT.rglob("*") if file.is_file()}
    assert engines.run(ROOT, "samsum", "transformers", 4, "json") == 0
    assert {file for file in ROOT.rglob("*") if file.is_file()} == before
    printed = json.loads(capsys.readouterr().out)
    assert (printed["rows"], printed["differing"]) == (4, 0)
    assert printed["primary"] == "rouge1"
    assert printed["difference"]["rouge1"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert engines.run(ROOT, "samsum", "transformers", 100, "simple") == 0
    assert "0 of 6 answers differ, on the first 6 test rows" in capsys.readouterr().out


def test_what_cannot_be_compared_is_one_line(declared, adapter, monkeypatch):
    write_params(declared())
    with pytest.raises(UserError, match="no task 'other'; known: price, samsum"):
        engines.run(ROOT, "other", "transformers", 4, "simple")
    with pytest.raises(UserError, match="--rows: is 1, must be at least 2"):
        engines.run(ROOT, "samsum", "transformers", 1, "simple")
    with pytest.raises(ParamsError, match=r"run\.vllm_python: is null"):
        engines.run(ROOT, "samsum", "vllm", 4, "simple")
    monkeypatch.setattr(summary, "answered", lambda *_: False)
    monkeypatch.setattr(engines, "answered", lambda *_: False)
    with pytest.raises(UserError, match=re.escape("6 of 6 rows have no answer by builtin")):
        engines.run(ROOT, "samsum", "transformers", 6, "simple")
