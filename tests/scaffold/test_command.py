"""`finetune init` on files that were not made for it, from the file to prepared rows."""

import csv
import datetime
import json
import random
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from finetune.checks.parameters import header_commands
from finetune.composition import compose
from finetune.core import params, paths
from finetune.core.errors import DataError, UserError
from finetune.core.files import read_json, read_jsonl
from finetune.planning import lengths
from finetune.scaffold import command
from finetune.scaffold.command import Options
from finetune.scaffold.guessing import ColumnOptions
from finetune.stages import baselines, fetch, prepare
from finetune.tasks.summarization.rows import Row

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """What `init` and the first stages need of the repository; the test stands in it."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / "models/embedded").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def init(repository, capsys):
    """Runs `init`; gives what it prints and the overrides of the command that it ends with."""

    def ran(path: Path, task: str = "mine", **options: object) -> tuple[str, list[str]]:
        columns = ColumnOptions(**{key: options.pop(key) for key in list(options) if key in WISHES})
        command.run(Path(), path, Options(task, columns, **options))
        printed = capsys.readouterr().out
        *_, last = printed.splitlines()
        words = shlex.split(last)
        assert words[:3] == ["dvc", "exp", "run"]
        return printed, [word for word in words[3:] if word != "-S"]

    return ran


WISHES = ("kind", "input", "target", "id")


def prepared(overrides: list[str], task: str = "mine") -> dict[str, dict[str, int]]:
    """Fetch and prepare with these overrides; gives the counts of `data.json`."""
    Path("params.yaml").write_text(compose(Path(), overrides), encoding="utf-8")
    fetch.run(params.for_stage("fetch", task), task)
    prepare.run(params.for_stage("prepare", task), task)
    return read_json(paths.metrics(task, "data"))[task]["data"]


def rows_of(split: str, task: str = "mine") -> list[dict]:
    return read_jsonl(paths.prepared(task) / f"{split}.jsonl")


def message(*arguments: object, **options: object) -> str:
    with pytest.raises(UserError) as raised:
        command.run(Path(), *arguments, Options(**{"task": "mine"} | options))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture
def german_csv(tmp_path) -> Path:
    """A spreadsheet's export: byte order mark, semicolons, line ends in cells, prices with $."""
    rng = random.Random(1)
    file = tmp_path / "Artikel, Export (März).csv"
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        writer = csv.writer(opened, delimiter=";")
        writer.writerow(["Artikel-Nr", "Name", "Beschreibung", "Preis", "Warengruppe", "Menge", ""])
        for n in range(200):
            text = f'Eine Lampe, {n} cm;\nFarbe: "rot", gut für {rng.randint(2, 9)} Räume, neu.'
            price = f"${rng.uniform(900, 1400):,.2f}"
            if n == 40:
                text = ""
            if n in (50, 51, 52):
                price = ("", "1.299,00 €", "1,299")[n - 50]
            writer.writerow([f"A{n}", f"Lampe {n}", text, price, "Licht", n % 5, ""])
    return file


def test_a_spreadsheet_s_export_becomes_a_price_task(init, german_csv, repository):
    printed, overrides = init(german_csv)
    assert (
        "Artikel, Export (März).csv: line 101: price is '', must be a number, such as 12.5"
        in printed
    )
    assert "price is '1.299,00 €', must be a number, such as 12.5" in printed
    assert "which may be 1.299 or 1299" in printed
    assert "data.max_bad_rate=0.02" in overrides
    read = params.validate_text(compose(repository, overrides), "conf")
    assert list(read.tasks) == ["mine"]
    files = read.tasks["mine"].source.files
    assert (files.delimiter, files.splits) == (";", {"all": german_csv.name})
    assert files.fields == {
        "id": "Artikel-Nr", "text": "Beschreibung", "price": "Preis", "category": "Warengruppe",
    }  # fmt: skip
    assert (read.data.root, read.data.watch) == (str(german_csv.parent), str(german_csv))
    shipped = params.validate_text(compose(repository, []), "conf").tasks["price"]
    assert (read.tasks["mine"].train, read.tasks["mine"].eval) == (shipped.train, shipped.eval)

    counts = prepared(overrides)
    assert (counts["all"]["rows"], counts["all"]["set_aside"]) == (200, 3)
    assert counts["all"]["dropped_empty"] == 1
    assert sum(counts[split]["kept"] for split in paths.SPLITS) == 196
    rows = [row for split in paths.SPLITS for row in rows_of(split)]
    assert all(900 <= row["price"] <= 1400 for row in rows)
    assert {row["category"] for row in rows} == {"Licht"}
    assert rows[0]["text"].startswith("Eine Lampe, ")
    # What was printed is what prepare counts.
    kept = next(line for line in printed.splitlines() if line.startswith("kept"))
    assert kept.split()[1:] == [str(counts[split]["kept"]) for split in paths.SPLITS]


@pytest.fixture
def nested_jsonl(tmp_path) -> Path:
    """A folder of JSON lines: nested fields, several references in test, broken rows."""
    folder = tmp_path / "threads"
    folder.mkdir()

    def row(n: int, **fields: object) -> dict:
        talk = f"Ann: Is it {n} o'clock already?\nTom: No, it is {n + 1}, I think, by my watch."
        return {"meta": {"uid": n}, "thread": {"chat": talk, "lang": "en"}, **fields}

    train = [json.dumps(row(n, summary={"text": f"Tom says {n + 1}."})) for n in range(60)]
    train[7:9] = ['{"meta": {"uid": 7}, "thread": ', '["no", "object"]']
    train[9] = json.dumps(row(9, summary={"txt": "Misspelled."}))
    train[10] = json.dumps({"meta": {"uid": 10}, "thread": None, "summary": {"text": "x"}})
    test = [
        json.dumps(row(n, references=[f"Tom says {n + 1}.", f"It is {n + 1}.", " "]))
        for n in range(100, 120)
    ]
    (folder / "train.jsonl").write_text("\n".join(train))
    (folder / "test.jsonl").write_text("\n".join(test))
    return folder


def test_nested_rows_with_several_references_become_a_summary_task(init, nested_jsonl, repository):
    printed, overrides = init(nested_jsonl)
    assert "train.jsonl: line 10: summary is missing: the row has no 'summary.text'" in printed
    assert "  summary   summary.text, references in test\n" in printed
    assert "train.jsonl: line 11: dialogue is missing: the row has no 'thread.chat'" in printed
    read = params.validate_text(compose(repository, overrides), "conf").tasks["mine"]
    assert read.source.files.fields == {
        "id": "meta.uid", "dialogue": "thread.chat", "summary": "summary.text",
    }  # fmt: skip
    assert read.source.files.fields_by_split == {"test": {"summary": "references"}}
    assert read.prompt.instruction == "Summarize this dialogue in one sentence."
    shipped = params.validate_text(compose(repository, []), "conf").tasks["samsum"]
    assert (read.train, read.eval) == (shipped.train, shipped.eval)

    counts = prepared(overrides)
    assert counts["train"]["set_aside"] == 4
    assert counts["test"] == {
        "rows": 20, "found_stray_blanks_around_summary": 20, "found_several_references": 20,
        "found_blank_references": 20, "found_repeated_inputs": 0, "set_aside": 0,
        "found_near_duplicates": 0, "near_duplicate_clusters": 0, "answer_in_prompt": 0, "kept": 20,
    }  # fmt: skip
    assert rows_of("test")[0]["references"] == ["Tom says 101.", "It is 101."]
    assert rows_of("test")[0]["summary"] == "Tom says 101."
    assert "references" not in rows_of("train")[0]
    assert [row["reason"] for row in rows_of("set_aside")][2:] == [
        "summary is missing: the row has no 'summary.text'",
        "dialogue is missing: the row has no 'thread.chat'",
    ]
    baselines.run(params.for_stage("baselines", "mine"), "mine")
    first = read_jsonl(paths.baselines("mine") / "lead1.jsonl")[0]
    assert first["references"] == ["Tom says 101.", "It is 101."]
    assert first["rouge1"] > 0


def test_token_limits_hold_for_other_languages_too(init, repository, tmp_path):
    lines = [
        {
            "chat": f"Jürgen: Können wir die Prüfung um {n} Wochen verschieben? Ich übe täglich.\n"
            f"Käthe: Natürlich, früher wäre schöner gewesen, aber {n} Wochen genügen völlig.",
            "gist": f"Jürgen möchte die Prüfung um {n} Wochen verschieben.",
        }
        for n in range(60)
    ]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    # The tokenizer of the default model.
    shutil.copytree(ROOT / "models/embedded", repository / "models/embedded", dirs_exist_ok=True)
    _, overrides = init(file)
    settings = params.validate_text(compose(repository, overrides), "conf")
    prompt = settings.tasks["mine"].prompt
    rows = [Row(id="1", dialogue=line["chat"], summary=line["gist"]) for line in lines]
    asked, how = lengths.of_rows(
        rows, prompt.model_copy(update={"max_tokens": 2048}), settings.model
    )
    assert "tokenizer" in how
    assert max(row.prompt for row in asked) <= prompt.max_tokens
    assert max(row.completion for row in asked) <= prompt.max_completion_tokens


@pytest.fixture
def wide_parquet(tmp_path) -> Path:
    """One table of everything: bytes, dates, lists, structs, and integers that come again."""
    articles = [
        {
            "id": n // 2,
            "image": bytes([n % 256, 255]),
            "published": datetime.date(2020, 1, 1) + datetime.timedelta(n),
            "tags": ["a", "b"],
            "scores": [0.5, n / 2],
            "article": f"The council of town {n % 90} met. It spoke of roads at length. No vote.",
            "highlights": f"Town {n % 90} speaks of roads.",
        }
        for n in range(150)
    ]
    file = tmp_path / "articles.parquet"
    pa.parquet.write_table(pa.Table.from_pylist(articles), file)
    return file


def test_a_wide_table_of_one_file_is_split_without_straddling(init, wide_parquet, repository):
    printed, overrides = init(wide_parquet, task=None)
    assert "id        the row's number" in printed
    assert "('id' is no id: 0 stands in more than one row)" in printed
    read = params.validate_text(compose(repository, overrides), "conf").tasks["articles"]
    assert read.source.files.fields == {"dialogue": "article", "summary": "highlights"}

    counts = prepared(overrides, "articles")
    assert (counts["all"]["rows"], counts["all"]["dropped_duplicates"]) == (150, 60)
    splits = {split: rows_of(split, "articles") for split in paths.SPLITS}
    assert all(splits.values())
    texts = [row["dialogue"] for rows in splits.values() for row in rows]
    assert len(texts) == len(set(texts)) == 90
    assert splits["train"][0]["id"].startswith("all-")
    # Another run draws the same rows.
    prepared(overrides, "articles")
    assert {split: rows_of(split, "articles") for split in paths.SPLITS} == splits


def test_the_header_s_command_composes_and_names_no_folder_of_this_machine(init, wide_parquet):
    init(wide_parquet)
    text = Path("conf/task/mine.yaml").read_text(encoding="utf-8")
    assert str(wide_parquet.parent) not in text
    (overrides,) = header_commands(text)
    assert list(params.validate_text(compose(Path(), overrides), "conf").tasks) == ["mine"]


def test_a_file_in_the_repository_is_given_relative_to_it(init, wide_parquet):
    shutil.copytree(wide_parquet.parent, "rows", ignore=shutil.ignore_patterns("repository"))
    _, overrides = init(Path("rows/articles.parquet"))
    assert overrides[-2:] == ["data.root=rows", "data.watch=rows/articles.parquet"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task": "samsum"}, "--task: 'samsum' is taken; give the task another name"),
        ({"task": "embedded"}, "--task: 'embedded' is taken; give the task another name"),
        (
            {"task": "../x"},
            "--task: '../x' is not a valid name; use a letter, then letters, digits",
        ),
        ({"task": "7up"}, "--task: '7up' is not a valid name"),
        ({"task": ""}, "--task: '' is not a valid name"),
        (
            {"columns": ColumnOptions(input="artcle")},
            "--input: articles.parquet has no 'artcle'; it has 'id', 'image', 'published', 'tags'",
        ),
        ({"columns": ColumnOptions(target=["x"])}, "--target: articles.parquet has no 'x'; it has"),
        (
            {"columns": ColumnOptions(id="id")},
            "articles.parquet: id '0' stands in more than one row (75 ",
        ),
        (
            {"columns": ColumnOptions(input="image", target=["highlights"])},
            "articles.parquet: row 1: dialogue is binary, must be text; 150 of 150 rows are bad; ",
        ),
        (
            {"columns": ColumnOptions(kind="price")},
            "no column holds amounts, such as 12.5 or $1,2",
        ),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(repository, wide_parquet, options, said):
    before = sorted(Path("conf").rglob("*"))
    assert said in message(wide_parquet, **options)
    assert sorted(Path("conf").rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "text,price\n", "a.csv: holds no rows"),
        ("a.json", "[]", "a.json: holds no rows"),
        ("a.xml", "<a/>", "a.xml: unknown format; known: .json, .jsonl, .csv, .tsv, .parquet"),
        ("a.csv", "text,price\nA lamp,5\n", "mine: no rows are left in "),
        ("a.csv", b"text,price\nLampe f\xfcr 2,5\n", "a.csv: byte 18: not UTF-8"),
        (
            "a.csv",
            "text;x;price\nA red lamp;1\nA lamp;2\n",
            "a.csv: holds no rows; line 2: has 2 cells, the",
        ),
        ("a.csv", "price,price\n1,2\n", "a.csv: line 1: two columns are called 'price'"),
    ],
)
def test_a_file_that_holds_no_task_is_one_line(repository, tmp_path, name, content, said):
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    assert said in message(file)
    assert not Path("conf/task/mine.yaml").exists()


def test_a_config_is_overwritten_by_force_alone(init, wide_parquet):
    init(wide_parquet)
    file = Path("conf/task/mine.yaml")
    file.write_text("mine: 1\n")
    assert "conf/task/mine.yaml: exists already; --force" in message(wide_parquet)
    assert file.read_text() == "mine: 1\n"
    init(wide_parquet, force=True)
    assert "kind: summarization" in file.read_text()


def test_a_test_file_without_answers_is_a_mistake(repository, tmp_path):
    row = {"text": "A lamp of glass, as new", "price": 5.5}
    for split, rows in (("train", [row] * 30), ("test", [{"text": "A chair"}] * 5)):
        (tmp_path / f"{split}.json").write_text(json.dumps(rows))
    shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
    said = message(tmp_path)
    assert said.startswith("test.json: has no 'price', which is the price in train.json")


def test_a_column_name_that_a_config_cannot_hold_is_a_mistake(repository, tmp_path):
    rows = [{"text": f"A lamp of glass, number {n}", "${price}": n + 0.5} for n in range(99)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match="holds '\\$"):
        command.run(Path(), tmp_path / "a.json", Options("mine"))


def test_the_command_line_tells_a_mistake_in_one_line(repository, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "finetune.cli", "init", str(tmp_path / "no.csv")],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"finetune: {tmp_path}/no.csv: no such file or folder\n"
