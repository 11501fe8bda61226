"""Sources that a task mixes in: their rows are trained on, and nothing else changes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from finetune.core import params, paths
from finetune.core.errors import DataError, ParamsError
from finetune.core.files import read_json, read_jsonl, sha256
from finetune.reporting import facts
from finetune.stages import data_card, fetch, prepare

ROOT = Path(__file__).parents[2]
REVIEWS: dict[str, Any] = {
    "files": {
        "folder": "reviews",
        "splits": {"train": "all.csv"},
        "fields": {"id": "key", "text": "body", "price": "cost"},
    },
    "weight": 0.5,
    "licence": "MIT",
}


@pytest.fixture(autouse=True)
def source(tmp_path, monkeypatch) -> Path:
    """A folder with prices, 60 for training, and with 40 more in other columns."""
    repository, folder = tmp_path / "repository", tmp_path / "source"
    repository.mkdir()
    shutil.copy(ROOT / "dvc.yaml", repository)
    monkeypatch.chdir(repository)
    for split, places in (("train", range(60)), ("test", range(60, 80))):
        rows = [{"id": f"p{n}", "text": text(n), "price": n + 0.99} for n in places]
        write(folder / f"price/{split}.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    # Of these the first is a test row and the second nearly one of train's own.
    texts = {100: text(61), 101: f"{text(3)} Used.", 102: " "}
    lines = [f"{n},{texts.get(n, text(n))},{n}.5\n" for n in range(100, 140)]
    write(folder / "reviews/all.csv", "key,body,cost\n" + "".join(lines))
    return folder


def text(number: int) -> str:
    return "Lamp " + " ".join(f"part{number}-{n}" for n in range(15))


def write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


def run(
    source: Path, mix: dict[str, Any], data: dict[str, Any] | None = None, **own: Any
) -> dict[str, dict[str, int]]:
    """Fetch and prepare prices with these sources mixed in; gives the counts of `data.json`.

    `own` are keys of the task's own source.
    """
    everything = OmegaConf.load(ROOT / "params.yaml")
    everything.data.update({"source": "files", "root": str(source), "max_bad_rate": 0.05})
    everything.data.update(data or {})
    everything.tasks.price.source.update({"mix": pinned(mix, source), **own})
    Path("params.yaml").write_text(OmegaConf.to_yaml(everything), encoding="utf-8")
    fetch.run(params.for_stage("fetch", "price"), "price")
    prepare.run(params.for_stage("prepare", "price"), "price")
    return read_json(paths.metrics("price", "data"))["price"]["data"]


def pinned(mix: dict[str, Any], source: Path) -> dict[str, Any]:
    """The sources with the hashes of their files, where they have no others."""
    made = {}
    for name, part in mix.items():
        made[name] = part and dict(part)
        if part and "files" in part:
            files = [
                source / part["files"]["folder"] / of for of in part["files"]["splits"].values()
            ]
            pins = {file.name: sha256(file) if file.is_file() else "0" * 64 for file in files}
            made[name]["files"] = {"sha256": pins, **part["files"]}
    return made


def prepared(split: str) -> list[dict[str, Any]]:
    return read_jsonl(paths.prepared("price") / f"{split}.jsonl")


def test_so_many_rows_are_trained_on_for_one_of_the_tasks_own(source):
    run(source, {})
    own = {split: prepared(split) for split in paths.SPLITS}
    counts = run(source, {"reviews": REVIEWS})
    assert {split: prepared(split) for split in ("validation", "test")} == {
        split: own[split] for split in ("validation", "test")
    }
    train = prepared("train")
    assert train[: len(own["train"])] == own["train"]
    added = train[len(own["train"]) :]
    assert len(added) == round(len(own["train"]) / 2)
    for row in added:
        number = int(row["id"].removeprefix("reviews/"))
        assert row == {
            "id": f"reviews/{number}", "text": text(number), "price": number + 0.5,
            "category": None, "from_source": "reviews",
        }  # fmt: skip
    assert counts["reviews"]["rows"] == 40
    assert counts["reviews"]["set_aside"] == 0
    assert counts["reviews"]["kept_in_train"] == len(added)
    of_train = counts["train"]
    assert of_train["added_by_mix"] == 40
    assert of_train["dropped_empty"] == of_train["dropped_leaks"] == 1
    assert of_train["dropped_near_duplicates"] == 1
    assert of_train["left_out_by_mix"] == 37 - len(added)
    assert of_train["kept"] == len(train)


def test_what_the_mixture_leaves_out_is_said_in_the_report(source):
    counts = run(source, {"reviews": {**REVIEWS, "weight": 0.1}})
    left_out = counts["train"]["left_out_by_mix"]
    assert f"beyond their source's weight {left_out}" in facts.dropped(counts)
    assert "data.limit" not in facts.dropped(counts)


def test_its_own_rows_are_left_out_where_there_are_too_few_others(source):
    counts = run(source, {"reviews": {**REVIEWS, "weight": 2.0}})
    assert counts["reviews"]["kept_in_train"] == 37
    assert counts["train"]["kept"] == 37 + round(37 / 2)


def test_all_of_a_source_that_is_split_may_be_mixed_with(source):
    rows = (source / "price/train.jsonl").read_text() + (source / "price/test.jsonl").read_text()
    (source / "price/all.jsonl").write_text(rows)
    files = OmegaConf.load(ROOT / "params.yaml").tasks.price.source.files
    files.splits = {"all": "all.jsonl"}
    run(source, {}, files=files)
    own = {split: prepared(split) for split in paths.SPLITS}
    run(source, {"reviews": REVIEWS}, files=files)
    assert [prepared(split) for split in ("validation", "test")] == [
        own["validation"],
        own["test"],
    ]
    added = [row for row in prepared("train") if "from_source" in row]
    assert [row for row in prepared("train") if row not in added] == own["train"]
    assert len(added) == round(len(own["train"]) / 2)


def test_several_sources_and_the_generator(source):
    mix = {
        "reviews": {**REVIEWS, "weight": 0.3},
        "made_up": {"embedded": "products", "weight": 0.1, "licence": "MIT"},
    }
    counts = run(source, mix, {"source": "embedded"})
    own = sum("from_source" not in row for row in prepared("train"))
    kept = {name: counts[name]["kept_in_train"] for name in mix}
    assert kept["reviews"] == pytest.approx(3 * kept["made_up"], abs=2)
    assert kept["made_up"] == round(0.1 * own)
    by_source = [row.get("from_source") for row in prepared("train")]
    assert {name: by_source.count(name) for name in mix} == kept
    # In another order they are the same: DVC would not fetch them again.
    config = OmegaConf.load("params.yaml")
    config.tasks.price.source.mix = dict(reversed(config.tasks.price.source.mix.items()))
    Path("params.yaml").write_text(OmegaConf.to_yaml(config), encoding="utf-8")
    prepare.run(params.for_stage("prepare", "price"), "price")
    assert [row.get("from_source") for row in prepared("train")] == by_source


def test_where_they_came_from_stands_in_the_record_and_in_the_card(source):
    run(source, {"reviews": {**REVIEWS, "weight": 1.0, "licence": "CC BY-NC 4.0"}})
    origin = read_json(paths.raw("price") / "source.json")
    of_mix = origin["mix"]["reviews"]
    assert of_mix["files"]["train"]["file"] == "reviews/all.csv"
    assert (of_mix["weight"], of_mix["licence"]) == (1.0, "CC BY-NC 4.0")
    assert origin["splits"]["reviews"]["rows"] == 40
    data_card.run(params.for_stage("data_card", "price"), "price")
    card = read_json(paths.data_card("price"))
    kept = sum("from_source" in row for row in prepared("train"))
    assert card["groups"]["source"]["reviews"]["train"] == kept
    assert card["groups"]["source"]["reviews"]["test"] == 0
    assert card["licence"].endswith("; CC BY-NC 4.0")
    assert not card["texts_may_be_shown"]
    assert "| mix reviews weight | 1.0 |" in paths.data_card_page("price").read_text()


def test_bad_rows_are_those_of_their_own_file(source):
    lines = (source / "reviews/all.csv").read_text()
    lines = lines.replace(",105.5", ",dear").replace(",106.5", ",?")
    (source / "reviews/all.csv").write_text(lines)
    run(source, {"reviews": REVIEWS})
    assert [(bad["file"], bad["place"]) for bad in prepared("set_aside")] == [
        ("reviews/all.csv", "line 7"), ("reviews/all.csv", "line 8"),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"^reviews/all\.csv: line 7: .*; 2 of 40 rows are bad"):
        run(source, {"reviews": REVIEWS}, {"max_bad_rate": 0.01})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"files": {**REVIEWS["files"], "folder": "none"}},
            r"source\.mix\.reviews: .*none is no fol",
        ),
        (
            {"files": {**REVIEWS["files"], "splits": {"train": "none.csv"}}},
            r"source\.mix\.reviews: .*none\.csv: no such file",
        ),
        (
            {"files": {**REVIEWS["files"], "sha256": {"all.csv": "0" * 64}}},
            r"source\.mix\.reviews: .*all\.csv: its sha256 is",
        ),
        (
            {"files": {**REVIEWS["files"], "fields": {"text": ["body", "none"], "price": "cost"}}},
            r"source\.mix\.reviews: .*no row has 'none'",
        ),
    ],
)
def test_a_source_that_cannot_be_read_is_named(source, changed, said):
    with pytest.raises(DataError, match=said):
        run(source, {"reviews": {**REVIEWS, **changed}})


def test_a_file_below_no_folder_is_refused(source):
    with pytest.raises(
        DataError, match=r"data\.root: is not set, and source\.mix\.reviews is a fi"
    ):
        run(source, {"reviews": REVIEWS}, {"source": "embedded", "root": None})


@pytest.mark.parametrize("rows", ["", f"100,{text(61)},1.5\n", "100, ,1.5\n"])
def test_a_source_of_which_no_row_is_left_is_refused(source, rows):
    (source / "reviews/all.csv").write_text(f"key,body,cost\n{rows}")
    with pytest.raises(DataError, match=r"price\.source\.mix\.reviews: none of its rows are left"):
        run(source, {"reviews": REVIEWS})


def test_two_rows_with_one_id_are_found_whosever_they_are(source):
    file = source / "price/train.jsonl"
    file.write_text(file.read_text().replace('"p3"', '"reviews/105"'))
    with pytest.raises(DataError, match=r"train\.jsonl and source\.mix: id 'reviews/105' stands"):
        run(source, {"reviews": REVIEWS})


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ({"reviews": None}, r"price\.source\.mix\.reviews: is None, must be a section"),
        ({"reviews": {**REVIEWS, "wieght": 1}}, r"reviews\.wieght: is not a parameter; known here"),
        (
            {"reviews": {**REVIEWS, "files": {**REVIEWS["files"], "folde": "x"}}},
            r"reviews\.files\.folde: is not a parameter; known here: folder",
        ),
        (
            {"reviews": {**REVIEWS, "files": {**REVIEWS["files"], "sha256": {}}}},
            r"reviews\.files.*sha256: lacks 'all\.csv'; `sha256sum` prints it",
        ),
        (
            {"reviews": {"embedded": "products", "licence": "MIT"}},
            r"price\.source\.mix\.reviews\.embedded: is for data=embedded alone",
        ),
        ({"train": REVIEWS}, "mix: train is a split's name"),
        ({"reviews": {**REVIEWS, "weight": 0}}, r"source\.mix\.reviews\.weight: is 0, must be"),
        ({"reviews": {**REVIEWS, "embedded": "products"}}, "must have one of embedded, files and"),
        ({"reviews": {"licence": "MIT"}}, "must have one of embedded, files and hub"),
        (
            {"reviews": {**REVIEWS, "files": {**REVIEWS["files"], "splits": {"test": "all.csv"}}}},
            r"must be \{train: …\} alone",
        ),
        (
            {"reviews": {**REVIEWS, "files": {**REVIEWS["files"], "fields": {"text": "body"}}}},
            r"source\.mix\.reviews\.files\.fields: lacks price for train",
        ),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(source, mix, said):
    with pytest.raises(ParamsError, match=said):
        run(source, mix)
