"""`finetune compare A B --record`: runs as forms of A's model."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from finetune.comparing import command, recording
from finetune.comparing.command import Options
from finetune.comparing.configurations import Configuration
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_json, write_json

ROOT = Path(__file__).parents[2]
TRAINED = {"adapter": {"adapter_hash": "aaaa"}, "my-hosted": {"model_hash": "bbbb"}}


@pytest.fixture
def two(run, tmp_path):
    """A folder with the metrics of an adapter, its run, and one of a hosted model."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    write_json(tmp_path / paths.metrics("price", "train"), {"price": {"train": TRAINED["adapter"]}})

    def made(name: str, errors: np.ndarray, **params: object) -> Configuration:
        metrics = {
            "train": {"train": TRAINED[name]},
            "predict": {"predict": {"run": {"engine": "hosted", "usd": 0.5}}},
            "tuned": {"predictions_hash": "cccc"},
        }
        texts = {
            paths.metrics("price", file).as_posix(): json.dumps({"price": content})
            for file, content in metrics.items()
        }
        of = run(name, errors, **params)
        return Configuration((dataclasses.replace(of, text=texts.__getitem__),))

    errors = np.arange(40) % 7 + 10
    hosted = {"model.name": "large-1", "method.tuner": "hosted"}
    return made("adapter", errors + 5), made("my-hosted", errors, **hosted)


def forms(root: Path) -> dict:
    return read_json(root / paths.metrics("price", "forms"))["price"]["forms"]


def test_a_hosted_run_has_its_scores_and_paired_difference_in_a_metrics_file(two, tmp_path):
    adapter, hosted = two
    # In another order: rows are paired by their ids.
    rows = hosted.first.predictions["price"]
    rows.reverse()
    written = recording.record(tmp_path, adapter, [hosted])
    assert written == {paths.metrics("price", "forms"): ["my-hosted"]}
    entry = forms(tmp_path)["my-hosted"]
    assert entry["mae"] == pytest.approx(np.mean([row["absolute_error"] for row in rows]))
    assert entry["interval"]["mae"]["low"] < entry["mae"] < entry["interval"]["mae"]["high"]
    difference = entry["difference"]["mae"]
    # Each row is 5 USD nearer: paired, and so with hardly any interval, which unpaired is wide.
    assert [difference[key] for key in ("mean", "low", "high", "n")] == [-5.0, -5.0, -5.0, 40]
    assert (entry["n"], entry["differing"]) == (40, 40)
    assert (entry["model"], entry["method"]) == ("large-1", "hosted")
    assert (entry["adapter_hash"], entry["predictions_hash"]) == ("aaaa", "cccc")
    assert entry["run"] == {"engine": "hosted", "usd": 0.5}


def test_what_is_recorded_of_the_same_adapter_stays(two, tmp_path):
    adapter, hosted = two
    recording.record(tmp_path, adapter, [hosted])
    file = tmp_path / paths.metrics("price", "forms")
    entries = forms(tmp_path) | {"merged": {**forms(tmp_path)["my-hosted"], "model": "merged"}}
    write_json(file, {"price": {"forms": entries}})
    recording.record(tmp_path, adapter, [hosted])
    assert forms(tmp_path).keys() == {"my-hosted", "merged"}


def test_metrics_of_another_adapter_are_refused(two, tmp_path):
    adapter, hosted = two
    with pytest.raises(UserError, match=r"--record: .*train.json is of aaaa, and my-hosted of bb"):
        recording.record(tmp_path, hosted, [adapter])
    assert not (tmp_path / paths.metrics("price", "forms")).exists()


def test_validation_rows_are_not_recorded(tmp_path):
    with pytest.raises(UserError, match="--record: what is recorded is of test rows"):
        command.run(tmp_path, ["a", "b"], Options(split="validation", record=True))
