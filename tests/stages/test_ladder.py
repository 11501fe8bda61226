import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from finetune import params, paths
from finetune.files import read_json, write_jsonl
from finetune.stages import ladder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def climb(tmp_path, monkeypatch):
    """Runs the stage for prices with a list of rungs."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    for split in paths.SPLITS:
        rows = [{"id": str(n), "text": f"Lamp {n}", "price": 10.0 * n} for n in range(12)]
        write_jsonl(paths.prepared("price") / f"{split}.jsonl", rows)

    def ran(*rungs: str) -> None:
        values = OmegaConf.load(ROOT / "params.yaml")
        values.tasks.price.ladder = list(rungs)
        OmegaConf.save(values, "params.yaml")
        ladder.run(params.for_stage("ladder", "price"), "price")

    return ran


def test_each_rung_leaves_its_predictions_and_metrics(climb):
    climb("mean", "median")
    metrics = read_json(paths.metrics("price", "ladder"))["price"]["ladder"]
    assert (metrics["mean"]["mae"], metrics["mean"]["n"]) == (30.0, 12)
    assert {file.name for file in paths.ladder("price").iterdir()} == {"mean.jsonl", "median.jsonl"}


def test_a_rung_that_is_no_longer_asked_for_leaves_nothing(climb):
    climb("mean", "median")
    climb("median")
    assert [file.name for file in paths.ladder("price").iterdir()] == ["median.jsonl"]
    assert list(read_json(paths.metrics("price", "ladder"))["price"]["ladder"]) == ["median"]
