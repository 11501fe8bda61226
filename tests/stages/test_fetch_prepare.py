import hashlib
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from omegaconf import OmegaConf

from finetune import composition
from finetune.core import params, paths
from finetune.core.errors import DataError, ParamsError, UserError
from finetune.core.files import read_json, read_jsonl, sha256
from finetune.core.text import input_hash
from finetune.data import paraphrases
from finetune.data.paraphrases import Paraphrase
from finetune.stages import fetch, prepare

ROOT = Path(__file__).parents[2]
QUESTION = "How much does this cost to the nearest dollar?\n\n"


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    """A folder of files to read from; the test stands in an empty repository beside it."""
    repository = tmp_path / "repository"
    repository.mkdir()
    shutil.copy(ROOT / "dvc.yaml", repository)
    monkeypatch.chdir(repository)
    folder = tmp_path / "source"
    configure(root=str(folder))

    dialogues = {
        "train": [chat(n) for n in range(20)],
        "val": [chat(n) for n in range(20, 25)],
        "test": [chat(n) for n in range(25, 30)],
    }
    dialogues["train"][3] |= {"summary": None}  # set aside
    dialogues["train"][4] |= {"summary": " "}  # empty
    dialogues["train"][5] = chat(6) | {"id": "5"}  # a duplicate of the next
    dialogues["train"][7] |= {"dialogue": chat(27)["dialogue"]}  # a leak
    dialogues["test"][0] |= {"summary": ""}  # odd, but a test row
    for split, rows in dialogues.items():
        write(folder / f"samsum/{split}.json", json.dumps(rows, indent=1))

    products = {
        "train": [product(n, f"{n}.00") for n in range(40)],
        "test": [product(n, "") for n in range(40, 50)],
    }
    for split, rows in products.items():
        write(folder / f"price/{split}.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def chat(number: int) -> dict:
    return {
        "id": str(number),
        "dialogue": f"Ann: Is it {number}?\r\nTom: Yes, {number}.",
        "summary": f"It is {number}.",
    }


def product(number: int, answer: str) -> dict:
    text = f"{QUESTION}Lamp {number}\nBright.\n\nPrice is ${answer}"
    return {"id": f"p-{number}", "text": text, "price": number - 0.01 if number else 0}


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def configure(**values: object) -> None:
    """Write params.yaml: files as the source, one row in ten may be bad, and keys of `data`."""
    everything = OmegaConf.load(ROOT / "params.yaml")
    everything.data.update({"source": "files", "max_bad_rate": 0.1, "validation_fraction": 0.2})
    everything.data.update(values)
    Path("params.yaml").write_text(OmegaConf.to_yaml(everything), encoding="utf-8")


def run(task: str) -> dict[str, dict[str, int]]:
    """Fetch and prepare a task; gives the counts of `data.json`."""
    fetch.run(params.for_stage("fetch", task), task)
    prepare.run(params.for_stage("prepare", task), task)
    return read_json(paths.metrics(task, "data"))[task]["data"]


def prepared(task: str, name: str) -> list[dict]:
    return read_jsonl(paths.prepared(task) / f"{name}.jsonl")


def written() -> dict[str, bytes]:
    """Every file that a stage has written here."""
    found = [file for out in ("data", "metrics") for file in Path(out).rglob("*")]
    return {str(file): file.read_bytes() for file in found if file.is_file()}


def test_fetch_writes_the_rows_as_they_are_and_where_they_came_from(source):
    fetch.run(params.for_stage("fetch", "samsum"), "samsum")
    folder = paths.raw("samsum")
    assert sorted(file.name for file in folder.iterdir()) == [
        "source.json", "test.jsonl", "train.jsonl", "validation.jsonl",
    ]  # fmt: skip
    rows = read_jsonl(folder / "train.jsonl")
    assert rows[0] == {"place": "row 1", **chat(0)}
    assert rows[3]["summary"] is None
    origin = read_json(folder / "source.json")
    content = (folder / "train.jsonl").read_bytes()
    assert origin["splits"]["train"] == {"rows": 20, "sha256": hashlib.sha256(content).hexdigest()}
    assert origin["files"]["validation"]["file"] == "samsum/val.json"


def test_prepare_keeps_what_can_be_learned_from_and_counts_the_rest(source):
    assert run("samsum") == {
        "train": {
            "rows": 20,
            "found_carriage_returns_in_dialogue": 19,
            "found_stray_blanks_around_summary": 1,
            "found_repeated_inputs": 1,
            "set_aside": 1,
            "dropped_empty": 1,
            "dropped_duplicates": 1,
            "found_inputs_shared_with_validation": 0,
            "found_inputs_shared_with_test": 1,
            "dropped_leaks": 1,
            "found_near_validation": 0,
            "found_near_test": 1,
            "found_near_duplicates": 0,
            "dropped_near_leaks": 0,
            "dropped_near_duplicates": 0,
            "answer_in_prompt": 0,
            "kept": 16,
        },
        "validation": {
            "rows": 5,
            "found_carriage_returns_in_dialogue": 5,
            "found_repeated_inputs": 0,
            "set_aside": 0,
            "dropped_empty": 0,
            "dropped_duplicates": 0,
            "found_inputs_shared_with_test": 0,
            "dropped_leaks": 0,
            "found_near_test": 0,
            "found_near_duplicates": 0,
            "near_duplicate_clusters": 0,
            "dropped_near_leaks": 0,
            "answer_in_prompt": 0,
            "kept": 5,
        },
        "test": {
            "rows": 5,
            "found_carriage_returns_in_dialogue": 5,
            "found_repeated_inputs": 0,
            "set_aside": 0,
            "found_near_duplicates": 0,
            "near_duplicate_clusters": 0,
            "answer_in_prompt": 0,
            "kept": 5,
        },
    }
    train = prepared("samsum", "train")
    assert [row["id"] for row in train][:5] == ["0", "1", "2", "5", "8"]
    assert train[0]["dialogue"] == "Ann: Is it 0?\nTom: Yes, 0."
    assert [row["id"] for row in prepared("samsum", "test")] == [str(n) for n in range(25, 30)]


def test_near_duplicates_leave_train_and_are_listed(source):
    words = " ".join(f"word{n}" for n in range(40))
    long = {27: f"Ann: {words}", 8: f"ann:  {words.upper()}", 9: f"Ann: {words} Tom: ok"}
    for split, file in (("train", "train"), ("test", "test")):
        path = source / f"samsum/{file}.json"
        rows = json.loads(path.read_text())
        rows = [row | {"dialogue": long.get(int(row["id"]), row["dialogue"])} for row in rows]
        rows += [{**rows[-1], "id": "copy", "dialogue": long[9]}] if split == "test" else []
        path.write_text(json.dumps(rows))
    counts = run("samsum")
    assert counts["train"]["found_near_test"] == 2
    assert counts["train"]["dropped_near_leaks"] == 1  # the other one is an exact copy
    assert counts["train"]["dropped_leaks"] == 1
    assert counts["test"]["near_duplicate_clusters"] == 1
    assert not {"8", "9"} & {row["id"] for row in prepared("samsum", "train")}
    listed = prepared("samsum", "near_duplicates")
    assert {(pair["id"], pair["near_id"], pair["dropped"]) for pair in listed} == {
        ("copy", "27", False), ("8", "27", True), ("8", "copy", True),
        ("9", "27", True), ("9", "copy", True),
    }  # fmt: skip
    clusters = read_json(paths.prepared("samsum") / "clusters.json")
    assert clusters == {"test": [["27", "copy"]], "validation": []}

    near = OmegaConf.load("params.yaml").data.near_duplicates
    configure(root=str(source), near_duplicates={**near, "threshold": None})
    counts = run("samsum")
    assert "found_near_test" not in counts["train"]
    assert "8" in {row["id"] for row in prepared("samsum", "train")}
    assert prepared("samsum", "near_duplicates") == []


def test_rows_with_other_speakers_are_added_to_train_alone(source):
    names = ["Ann", "Ben", "Cleo", "Dora", "Eve", "Finn"]
    rows = [
        {"id": name, "dialogue": f"{name}: I am number {n} of {'so' * n} many.", "summary": name}
        for n, name in enumerate(names)
    ]
    write(source / "samsum/train.json", json.dumps(rows))
    plain = run("samsum")["train"]
    without = written()
    everything = OmegaConf.load("params.yaml")
    everything.tasks.samsum.source.augment = {"rename_speakers": 2}
    Path("params.yaml").write_text(OmegaConf.to_yaml(everything), encoding="utf-8")
    counts = run("samsum")["train"]
    # Of few names two copies of a row may draw the same one.
    assert counts["added_renamed"] + counts["repeated_renamed"] == 12
    assert {name: counts[name] for name in plain} == plain
    train = prepared("samsum", "train")
    assert len(train) == 6 + counts["added_renamed"]
    assert train[:6] == [json.loads(line) for line in without["data/prepared/samsum/train.jsonl"]
                         .decode().splitlines()]  # fmt: skip
    assert (train[6]["id"], train[6]["made_from"]) == ("Ann/renamed-1", "Ann")
    assert all(row["summary"] in names and row["summary"] != row["made_from"] for row in train[6:])
    for split in ("validation", "test"):
        name = f"data/prepared/samsum/{split}.jsonl"
        assert written()[name] == without[name]


def test_paraphrases_are_added_to_train_alone_and_counted(source):
    run("samsum")
    without = written()
    first = prepared("samsum", "train")[0]
    of_test = prepared("samsum", "test")[0]["dialogue"]
    own = input_hash(first["dialogue"])
    texts = [
        Paraphrase(first["id"], own, "Ann: Another text.", "teacher-1"),
        Paraphrase(first["id"], own, f"{of_test} Ok.", "teacher-1"),
        Paraphrase("none", own, "Ann: Of no row.", "teacher-1"),
    ]
    paraphrases.write(Path("texts.jsonl"), texts)
    everything = OmegaConf.load("params.yaml")
    everything.tasks.samsum.source.augment = {
        "paraphrases": {"file": "texts.jsonl", "sha256": sha256(Path("texts.jsonl"))}
    }
    Path("params.yaml").write_text(OmegaConf.to_yaml(everything), encoding="utf-8")
    counts = run("samsum")["train"]
    assert {name: counts[name] for name in counts if name.endswith("paraphrase")} == {
        "added_paraphrase": 1, "repeated_paraphrase": 1, "unused_paraphrase": 1,
    }  # fmt: skip
    assert prepared("samsum", "train")[-1] == {
        **first,
        "id": f"{first['id']}/paraphrase-1",
        "dialogue": "Ann: Another text.",
        "made_from": first["id"],
    }
    for split in ("validation", "test"):
        name = f"data/prepared/samsum/{split}.jsonl"
        assert written()[name] == without[name]


def test_only_dialogues_have_speakers(source):
    everything = OmegaConf.load("params.yaml")
    everything.tasks.price.source.augment = {"rename_speakers": 2}
    Path("params.yaml").write_text(OmegaConf.to_yaml(everything), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"rename_speakers: a row of the kind price has no speak"):
        run("price")


def test_rows_that_are_set_aside_can_be_found_again(source):
    run("samsum")
    assert prepared("samsum", "set_aside") == [
        {
            "file": "samsum/train.json",
            "place": "row 4",
            "reason": "summary is missing",
            "row": {"place": "row 4", **chat(3), "summary": None},
        }
    ]


def test_a_source_without_validation_gets_one_off_train(source):
    counts = run("price")
    assert counts["train"]["moved_to_validation"] == 8
    assert (counts["train"]["kept"], counts["validation"]["kept"]) == (32, 8)
    rows = [row for split in paths.SPLITS for row in prepared("price", split)]
    assert len({row["id"] for row in rows}) == 50
    assert all(row["text"].startswith("Lamp ") for row in rows)
    assert all(row["text"].endswith("\nBright.") for row in rows)


def test_no_description_stands_in_train_and_in_the_validation_split_off_it(source):
    file = source / "price/train.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    again = [row | {"id": f"again-{row['id']}", "price": row["price"] + 50} for row in rows]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows + again))
    run("price")
    train, validation = (
        {row["text"] for row in prepared("price", split)} for split in ("train", "validation")
    )
    assert not train & validation


def test_limits_hold_for_each_split_and_the_same_rows_are_drawn_again(source):
    configure(root=str(source), limit={"train": 4, "validation": None, "test": 2})
    counts = run("samsum")
    assert (counts["train"]["kept"], counts["train"]["left_out_by_limit"]) == (4, 12)
    assert (counts["validation"]["kept"], counts["test"]["kept"]) == (5, 2)
    first = written()
    run("samsum")
    assert written() == first


def cut(source: Path) -> None:
    file = source / "samsum/test.json"
    file.write_text(file.read_text()[:-40])


def break_rows(source: Path) -> None:
    file = source / "samsum/val.json"
    file.write_text(file.read_text().replace('"dialogue"', '"dialog"'))


def repeat_ids(source: Path) -> None:
    file = source / "samsum/test.json"
    file.write_text(file.read_text().replace('"id": "26"', '"id": "27"'))


def leave_nothing(source: Path) -> None:
    for name in ("train", "val"):
        shutil.copy(source / "samsum/test.json", source / f"samsum/{name}.json")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (cut, r"samsum/test\.json: line 2\d: no JSON"),
        (break_rows, r"^samsum/val\.json: row 1: dialogue is missing; 5 of 5 rows are bad"),
        (repeat_ids, r"^samsum/test\.json: id '27' stands in more than one row"),
        (leave_nothing, r"^samsum: no rows are left in train"),
    ],
)
def test_a_mistake_in_the_data_leaves_earlier_results_as_they_were(source, break_it, said):
    run("samsum")
    before = {name: text for name, text in written().items() if "raw" not in name}
    break_it(source)
    with pytest.raises(DataError, match=said):
        run("samsum")
    assert {name: text for name, text in written().items() if "raw" not in name} == before


def test_a_file_that_cannot_be_read_leaves_the_raw_rows_as_they_were(source):
    run("samsum")
    before = written()
    cut(source)
    with pytest.raises(DataError):
        fetch.run(params.for_stage("fetch", "samsum"), "samsum")
    assert written() == before


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_task_whose_source_lacks_a_split_is_a_mistake(source, split):
    everything = OmegaConf.load("params.yaml")
    del everything.tasks.samsum.source.files.splits[split]
    Path("params.yaml").write_text(OmegaConf.to_yaml(everything), encoding="utf-8")
    with pytest.raises(UserError, match=split):
        run("samsum")


def test_half_a_character_makes_one_bad_row(source):
    file = source / "price/train.jsonl"
    file.write_text(file.read_text().replace("Lamp 2\\n", "Lamp \\ud83d"))  # an emoji cut in two
    assert run("price")["train"]["set_aside"] == 1


def test_decimals_of_parquet_are_prices(source):
    everything = OmegaConf.load("params.yaml")
    everything.tasks.price.source.files.splits.train = "train.parquet"
    Path("params.yaml").write_text(OmegaConf.to_yaml(everything), encoding="utf-8")
    rows = [{"id": str(n), "text": f"Lamp {n}", "price": Decimal("1.50")} for n in range(9)]
    pa.parquet.write_table(pa.Table.from_pylist(rows), source / "price/train.parquet")
    run("price")
    assert {row["price"] for row in prepared("price", "train")} == {1.5}


def test_items_of_several_columns_become_one_text_and_are_curated(source):
    def item(number: int) -> dict:
        return {
            "title": f"Lamp {number} WPW{number:08}",
            "description": [f"Bright number {number}.", "Write to lamps@example.com."],
            "features": [] if number % 2 else ["Of brass"],
            "details": {"Brand": "Acme", "Weight": "2 kg"} if number % 3 else "Brand: Acme",
            "price": 0.4 if number == 5 else number + 1.0,
        }

    rows = {"train": [item(n) for n in range(40)], "test": [item(n) for n in range(40, 50)]}
    for split, items in rows.items():
        write(source / f"items/{split}.jsonl", "".join(f"{json.dumps(row)}\n" for row in items))
    overrides = ["+task@tasks.items=price-items", "data=files", f"data.root={source}"]
    more = ["data.mask_pii=true", "tasks.items.source.curate.sizes.train=20"]
    text = composition.compose(ROOT, [*overrides, *more, "data.near_duplicates.threshold=null"])
    Path("params.yaml").write_text(text, encoding="utf-8")

    counts = run("items")

    assert counts["train"] == {
        "rows": 40,
        "found_category_missing": 40,
        "found_email_addresses": 40,
        "found_part_numbers": 40,
        "dropped_by_price": 1,
        "found_repeated_inputs": 0,
        "set_aside": 0,
        "dropped_empty": 0,
        "dropped_duplicates": 0,
        "moved_to_validation": 2,
        "found_inputs_shared_with_validation": 0,
        "found_inputs_shared_with_test": 0,
        "dropped_leaks": 0,
        "dropped_by_size": 17,
        "answer_in_prompt": 0,
        "kept": 20,
    }
    assert counts["test"]["kept"] == 10
    assert prepared("items", "test")[0] == {
        "id": "test-1",
        "text": "Lamp 40\nBright number 40.\nWrite to <email>.\nOf brass\nBrand: Acme\n"
        "Weight: 2 kg",
        "price": 41.0,
        "category": None,
    }

    text = text.replace("train: 20", "train: 38")
    Path("params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as raised:
        run("items")
    assert str(raised.value) == (
        "tasks.items.source.curate.sizes.train: is 38, and only 37 rows of train can be drawn"
    )
