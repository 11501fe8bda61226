import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from finetune.core import params, paths
from finetune.core.errors import DataError
from finetune.core.files import read_json, read_jsonl, write_json, write_jsonl
from finetune.stages import baselines
from finetune.tasks.price import scores as price_scores

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the stage for prices with a list of baselines."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    for split in paths.SPLITS:
        rows = [
            {"id": str(n), "text": f"Lamp {n}", "price": 10.0 * n, "category": None}
            for n in range(12)
        ]
        write_jsonl(paths.prepared("price") / f"{split}.jsonl", rows)
    write_json(paths.raw("price") / "source.json", {"source": "embedded"})

    def ran(*names: str) -> None:
        values = OmegaConf.load(ROOT / "params.yaml")
        values.tasks.price.baselines = list(names)
        OmegaConf.save(values, "params.yaml")
        baselines.run(params.for_stage("baselines", "price"), "price")

    return ran


def test_each_baseline_leaves_its_predictions_and_metrics(run):
    run("mean", "median")
    metrics = read_json(paths.metrics("price", "baselines"))["price"]["baselines"]
    assert (metrics["mean"]["mae"], metrics["mean"]["n"]) == (30.0, 12)
    for split in ("test", "validation"):
        files = paths.baselines("price", split).glob("*.jsonl")
        assert {file.name for file in files} == {"mean.jsonl", "median.jsonl"}


def test_a_baseline_that_is_no_longer_asked_for_leaves_nothing(run):
    run("mean", "median")
    run("median")
    assert [file.name for file in paths.baselines("price").rglob("*.jsonl")] == 2 * ["median.jsonl"]
    assert list(read_json(paths.metrics("price", "baselines"))["price"]["baselines"]) == ["median"]


def guess(name: str, **guesses: object) -> None:
    """Puts somebody's guesses where `fetch` does."""
    rows = [
        {"id": row_id.strip("_"), "guess": price, "place": f"line {line}"}
        for line, (row_id, price) in enumerate(guesses.items(), start=2)
    ]
    write_jsonl(paths.guesses("price") / f"{name}.jsonl", rows)
    origin = {"guesses": {name: {"file": f"price/{name}.csv", "source": "one person"}}}
    write_json(paths.raw("price") / "source.json", origin)


def test_guesses_are_scored_on_the_rows_that_they_cover_in_the_order_of_test(run):
    guess("human", _7=75.0, _3=20.0, _99=1.0)
    run("mean")
    metrics = read_json(paths.metrics("price", "baselines"))["price"]["baselines"]
    assert (metrics["human"]["mae"], metrics["human"]["n"], metrics["mean"]["n"]) == (7.5, 2, 12)
    protocol = metrics["human"]["protocol"]
    assert (protocol["source"], protocol["covers"]) == ("one person", "2 of 12 rows")
    rows = read_jsonl(paths.baselines("price") / "human.jsonl")
    assert [(row["id"], row["prediction"]) for row in rows] == [("3", 20.0), ("7", 75.0)]


def test_guesses_at_no_test_row_are_no_baseline_and_logged(run, caplog):
    caplog.set_level("INFO")
    guess("human", _99=1.0)
    run("mean")
    assert list(read_json(paths.metrics("price", "baselines"))["price"]["baselines"]) == ["mean"]
    assert "price: price/human.csv answers no test row: no baseline 'human'" in caplog.text


def test_guesses_under_the_name_of_a_baseline_are_refused_and_nothing_is_written(run):
    guess("ridge", _3=20.0)
    with pytest.raises(DataError, match="'ridge' is a name of the pipeline's own; give these"):
        run("mean")
    assert not paths.baselines("price").exists()


def test_what_a_baseline_remarks_stands_in_its_protocol(run):
    run("ridge")
    metrics = read_json(paths.metrics("price", "baselines"))["price"]["baselines"]
    assert metrics["ridge"]["protocol"]["target"] == "price"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("dear", "price/human.csv: line 2: price is 'dear', must be a number, such as 12.5"),
        ("", "price/human.csv: line 2: price is '', must be a number, such as 12.5"),
        ("nan", "price/human.csv: line 2: price is nan, must be a number from 0"),
    ],
)
def test_a_guess_that_is_no_answer_is_told_with_its_file_and_line(run, answer, message):
    guess("human", _7=answer)
    with pytest.raises(DataError) as raised:
        run("mean")
    assert message in str(raised.value)
    assert not paths.baselines("price").exists()


def test_baselines_have_validation_scores_and_guesses_have_none(run):
    guess("human", _7=75.0)
    run("mean")
    metrics = read_json(paths.metrics("price", "baselines"))["price"]["baselines"]
    assert metrics["mean"]["validation"]["mae"] == 30.0
    assert metrics["mean"]["validation"]["n"] == 12
    assert "validation" not in metrics["human"]


def test_a_table_for_dvc_plots_holds_every_baseline(run):
    run("mean", "median")
    lines = paths.plot("price", "baselines").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["name", "mean", "median"]
    run()
    assert paths.plot("price", "baselines").read_text() == "name\tscore\tlow\thigh\n"


def test_a_baseline_that_gives_no_answers_is_not_drawn(run, monkeypatch):
    score = price_scores.score

    def nothing_said(*args):
        return [row | {"unparsable": row["prediction"] == 60.0} for row in score(*args)]

    monkeypatch.setattr(price_scores, "score", nothing_said)
    guess("human", _7=60.0, _3=60.0)
    run("mean")
    metrics = read_json(paths.metrics("price", "baselines"))["price"]["baselines"]
    assert "mae" not in metrics["human"]
    assert metrics["human"]["no_answer"] == 2
    lines = paths.plot("price", "baselines").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["name", "mean"]


def test_somebodys_texts_are_scored_like_any_baseline(run, tmp_path):
    rows = [{"id": str(n), "dialogue": f"Ann: It is {n}.", "summary": f"It is {n}."} for n in "12"]
    for split in paths.SPLITS:
        write_jsonl(paths.prepared("samsum") / f"{split}.jsonl", rows)
    guesses = [{"id": "2", "guess": " It is\n2. ", "place": "line 2"}]
    write_jsonl(paths.guesses("samsum") / "jury.jsonl", guesses)
    origin = {"guesses": {"jury": {"file": "samsum/jury.csv", "source": "three people"}}}
    write_json(paths.raw("samsum") / "source.json", origin)
    run("mean")  # writes params.yaml
    baselines.run(params.for_stage("baselines", "samsum"), "samsum")
    metrics = read_json(paths.metrics("samsum", "baselines"))["samsum"]["baselines"]
    assert (metrics["jury"]["rouge1"], metrics["jury"]["n"]) == (100.0, 1)
    assert metrics["jury"]["protocol"]["source"] == "three people"
