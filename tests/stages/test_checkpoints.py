"""`finetune checkpoints` on what the stage train kept."""

import json
from pathlib import Path

import pytest
import yaml

from finetune import checkpoints
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_json
from finetune.stages import train

ROOT = Path()


def write_params(declared) -> None:
    values = declared._values.model_dump(mode="json")
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def test_kept_adapters_are_scored_as_the_stage_predict_does(declared, capsys, monkeypatch):
    monkeypatch.setattr(checkpoints.ScoredRows, "is_silent", lambda *_: False)
    options = {"max_steps": 4, "num_evals": 2, "batch_size": 3, "keep_checkpoints": True}
    asked = declared(options)
    train.run(asked, "samsum")
    write_params(asked)
    before = {file for file in ROOT.rglob("*") if file.is_file()}
    assert checkpoints.run(ROOT, "samsum", "validation", "json") == 0
    assert {file for file in ROOT.rglob("*") if file.is_file()} == before
    printed = json.loads(capsys.readouterr().out)
    assert [c["step"] for c in printed["checkpoints"]] == [2, 4]
    kept = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    assert printed["kept"] == kept["best_step"]
    losses = {c["step"]: c["validation_loss"] for c in printed["checkpoints"]}
    assert round(losses[kept["best_step"]], 4) == kept["validation_loss"]
    assert checkpoints.run(ROOT, "samsum", "train", "simple") == 0
    assert "2 adapters on the 6 train rows, by ROUGE-1" in capsys.readouterr().out


def test_a_run_that_kept_none_is_told_how_to(declared):
    write_params(declared())
    with pytest.raises(UserError, match=r"train\.keep_checkpoints=true"):
        checkpoints.run(ROOT, "samsum", "validation", "simple")
    with pytest.raises(UserError, match="no task 'other'; known: price, samsum"):
        checkpoints.run(ROOT, "other", "validation", "simple")
