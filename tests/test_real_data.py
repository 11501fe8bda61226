"""The real corpora, whole, where a checkout has them beside it: what they are known to hold."""

from pathlib import Path

import pytest

from finetune import composition
from finetune.core import params, paths
from finetune.core.files import read_json, read_jsonl
from finetune.describing import sections
from finetune.stages import baselines, data_card, fetch, prepare

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data (the real corpora)"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs the stages that need no model for a task; gives the folder with what they wrote."""
    folder = tmp_path_factory.mktemp("real")
    overrides = ["data=files", f"data.root={SHARED}"]
    text = composition.compose(ROOT, overrides)
    (folder / "params.yaml").write_text(text)
    (folder / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())

    def ran(task: str) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            for stage in (fetch, prepare, data_card, baselines):
                name = stage.__name__.rpartition(".")[-1]
                stage.run(params.for_stage(name, task), task)
        return folder

    return ran


def plain(text: str) -> str:
    """A text without blanks and upper case."""
    return "".join(text.lower().split())


def test_samsum_is_counted_and_the_published_baselines_come_out(run):
    folder = run("samsum")
    data = read_json(folder / paths.metrics("samsum", "data"))["samsum"]["data"]
    train, validation, test = data["train"], data["validation"], data["test"]
    assert (train["rows"], validation["rows"], test["rows"]) == (14732, 818, 819)
    assert train["dropped_empty"] == 1
    assert train["found_repeated_inputs"] == 467
    assert train["found_stray_blanks_around_summary"] == 2716
    assert train["found_newlines_in_summary"] + test["found_newlines_in_summary"] == 10
    assert train["found_inputs_shared_with_validation"] == 47
    assert train["found_inputs_shared_with_test"] == 42
    assert validation["found_inputs_shared_with_test"] == 4
    assert test["kept"] == 819
    assert (train["found_near_validation"], train["found_near_test"]) == (60, 48)
    assert (train["found_near_duplicates"], train["kept"]) == (515, 14107)
    assert (train["answer_in_prompt"], test["answer_in_prompt"]) == (9, 0)
    for split, mails, phones in ((train, 19, 8), (validation, 1, 0), (test, 0, 1)):
        assert split.get("found_email_addresses", 0) == mails
        assert split.get("found_phone_numbers", 0) == phones
    card = read_json(folder / paths.data_card("samsum"))
    assert sections.shift_sentences(card)[0] == (
        "Train and test cannot be told apart by their inputs."
    )
    assert card["placeholders"]["<file_gif>"]["test"] == 28
    assert "examples" not in card
    # The copies that differ in blanks and case, counted apart from the pipeline.
    raw = {name: read_jsonl(folder / paths.raw("samsum") / f"{name}.jsonl") for name in data}
    alike = {name: {plain(row["dialogue"]): row["id"] for row in raw[name]} for name in raw}
    pairs = read_jsonl(folder / paths.prepared("samsum") / "near_duplicates.jsonl")
    near = {(pair["id"], pair["near_id"]) for pair in pairs}
    shared = [
        (row["id"], alike["test"][plain(row["dialogue"])])
        for row in raw["train"]
        if plain(row["dialogue"]) in alike["test"]
    ]
    assert len(shared) >= 42
    assert near.issuperset(shared)
    scores = read_json(folder / paths.metrics("samsum", "baselines"))["samsum"]["baselines"]
    lead3, longest3 = scores["lead3"], scores["longest3"]
    # Measured apart from this project, on the same 819 rows, stemmed.
    assert round(lead3["rouge1"], 2) == 31.31
    assert round(lead3["rouge2"], 2) == 8.68
    assert round(lead3["rougeL"], 2) == 24.17
    # Split into sentences; not split it is ROUGE-L.
    assert lead3["rougeLsum"] == pytest.approx(28.55, abs=0.01)
    assert lead3["protocol"]["sentences"] == "pysbd 0.3.4"
    assert longest3["rouge1"] == pytest.approx(32.38, abs=0.015)
    assert longest3["rouge2"] == pytest.approx(10.41, abs=0.015)
    assert longest3["rougeL"] == pytest.approx(24.66, abs=0.015)
    # Nothing made of three lines can pass the bound, which is far above what is blind to answers.
    oracle3 = scores.pop("oracle3")
    assert oracle3["protocol"]["oracle"]
    assert oracle3["rouge1"] > max(baseline["rouge1"] for baseline in scores.values()) + 10


def test_prices_lose_their_answer_and_the_scores_land_where_they_are_known_to(run):
    folder = run("price")
    rows = read_jsonl(folder / paths.prepared("price") / "train.jsonl")
    assert not [row["id"] for row in rows if "Price is $" in row["text"]]
    assert not [row["id"] for row in rows if "How much does this cost" in row["text"]]
    data = read_json(folder / paths.metrics("price", "data"))["price"]["data"]
    assert (data["train"]["found_near_test"], data["test"]["near_duplicate_clusters"]) == (10, 15)
    assert (data["train"]["answer_in_prompt"], data["test"]["answer_in_prompt"]) == (6, 1)
    assert data["train"]["found_email_addresses"] == 32
    card = read_json(folder / paths.data_card("price"))
    mixes, inputs, prices = sections.shift_sentences(card)
    assert mixes.startswith("Train and test are of different mixes")
    assert card["shift"]["auc"]["input"]["low"] > 0.8
    assert "mean 88.92 in train and 221.7 in test" in prices
    text = (folder / paths.data_card_page("price")).read_text(encoding="utf-8")
    assert inputs.replace("\u00a0", " ") in text
    assert "None are shown: the licence does not plainly allow it." in text
    scores = read_json(folder / paths.metrics("price", "baselines"))["price"]["baselines"]
    human = scores.pop("human")
    assert (human["n"], human["protocol"]["covers"]) == (250, "250 of 2000 rows")
    # The plain mean of |guess - price| over the two files, computed apart from the pipeline.
    assert human["mae"] == pytest.approx(126.548, abs=0.01)
    assert {baseline["n"] for baseline in scores.values()} == {2000}
    # Measured apart from this project; which rows are left of train moves them a little.
    assert scores["mean"]["mae"] == pytest.approx(156.2, abs=1)
    assert scores["median"]["mae"] == pytest.approx(194.2, abs=1)
    assert 110 < scores["ridge"]["mae"] < 130
    assert scores["ridge_log"]["mae"] == pytest.approx(141.1, abs=3)
    # Validation rows are as cheap as those of train, so they would choose the other one.
    assert scores["ridge_log"]["validation"]["mae"] < scores["ridge"]["validation"]["mae"]
    assert min(baseline["mae"] for baseline in scores.values()) <= 117
