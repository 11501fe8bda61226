import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from finetune.core import params, paths
from finetune.core.errors import DataError
from finetune.core.files import read_json, read_jsonl, write_json, write_jsonl
from finetune.stages import ladder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def climb(tmp_path, monkeypatch):
    """Runs the stage for prices with a list of rungs."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    for split in paths.SPLITS:
        rows = [
            {"id": str(n), "text": f"Lamp {n}", "price": 10.0 * n, "category": None}
            for n in range(12)
        ]
        write_jsonl(paths.prepared("price") / f"{split}.jsonl", rows)
    write_json(paths.raw("price") / "source.json", {"source": "embedded"})

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


def guess(name: str, **guesses: float) -> None:
    """Puts somebody's guesses where `fetch` does."""
    rows = [{"id": row_id.strip("_"), "guess": price} for row_id, price in guesses.items()]
    write_jsonl(paths.guesses("price") / f"{name}.jsonl", rows)
    origin = {"guesses": {name: {"file": f"price/{name}.csv", "source": "one person"}}}
    write_json(paths.raw("price") / "source.json", origin)


def test_guesses_are_scored_on_the_rows_that_they_cover_in_the_order_of_test(climb):
    guess("human", _7=75.0, _3=20.0, _99=1.0)
    climb("mean")
    metrics = read_json(paths.metrics("price", "ladder"))["price"]["ladder"]
    assert (metrics["human"]["mae"], metrics["human"]["n"], metrics["mean"]["n"]) == (7.5, 2, 12)
    protocol = metrics["human"]["protocol"]
    assert (protocol["source"], protocol["covers"]) == ("one person", "2 of 12 rows")
    rows = read_jsonl(paths.ladder("price") / "human.jsonl")
    assert [(row["id"], row["prediction"]) for row in rows] == [("3", 20.0), ("7", 75.0)]


def test_guesses_at_no_test_row_are_no_rung_and_told(climb, caplog):
    caplog.set_level("INFO")
    guess("human", _99=1.0)
    climb("mean")
    assert list(read_json(paths.metrics("price", "ladder"))["price"]["ladder"]) == ["mean"]
    assert "price: price/human.csv answers none of the test rows: no rung 'human'" in caplog.text


def test_guesses_under_the_name_of_a_rung_are_refused_and_nothing_is_written(climb):
    guess("ridge", _3=20.0)
    with pytest.raises(DataError, match="'ridge' is a name of the pipeline's own; give these"):
        climb("mean")
    assert not paths.ladder("price").exists()


def test_what_a_rung_remarks_stands_in_its_protocol(climb):
    climb("ridge")
    metrics = read_json(paths.metrics("price", "ladder"))["price"]["ladder"]
    assert metrics["ridge"]["protocol"]["target"] == "price"
