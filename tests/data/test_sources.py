import hashlib
import json
from pathlib import Path

import datasets
import pytest

from finetune.core import hub
from finetune.core.errors import DataError
from finetune.core.files import read_jsonl
from finetune.core.schema import Embedded, TaskSource
from finetune.data import sources
from finetune.tasks.price import rows as price
from finetune.tasks.price.options import Task as PriceTask
from finetune.tasks.summarization import rows as summarization
from finetune.tasks.summarization.options import Task as SummaryTask

COMMIT = "0123456789abcdef0123456789abcdef01234567"
EMBEDDED = Embedded(rows={"train": 40, "validation": 10, "test": 20}, seed=11)


def source(**changed: object) -> TaskSource:
    values = {
        "embedded": "dialogues",
        "files": {
            "folder": "chats",
            "splits": {"train": "train.jsonl", "test": "test.csv"},
            "fields": {"id": "key", "dialogue": "talk", "summary": "gist"},
        },
        "hub": {
            "repo": "someone/chats",
            "revision": COMMIT,
            "splits": {"train": "train", "test": "eval"},
            "fields": {"dialogue": "talk", "summary": "gist"},
        },
        "licence": "CC0",
    }
    return TaskSource.model_validate(values | changed)


def embedded(source: TaskSource, seed: int = 11, **rows: int) -> sources.Fetched:
    options = {"rows": EMBEDDED.rows.model_dump() | rows, "seed": seed}
    size = Embedded.model_validate(options)
    return read(sources.fetch("embedded", None, size, source, SummaryTask.fields))


def read(fetched: sources.Fetched) -> sources.Fetched:
    """With all of its rows in memory."""
    fetched.splits = {name: list(rows) for name, rows in fetched.splits.items()}
    return fetched


@pytest.mark.parametrize(("generator", "kind"), [("dialogues", summarization), ("products", price)])
class TestEmbedded:
    def test_there_are_as_many_clean_rows_as_asked_for(self, generator, kind):
        splits = embedded(source(embedded=generator)).splits
        assert {name: len(rows) for name, rows in splits.items()} == {
            "train": 40, "validation": 10, "test": 20,
        }  # fmt: skip
        for rows in splits.values():
            assert len({kind.clean(row).id for row in rows}) == len(rows)
            assert [row["place"] for row in rows[:2]] == ["row 1", "row 2"]

    def test_test_rows_are_the_same_however_many_train_rows_there_are(self, generator, kind):
        few, many = (embedded(source(embedded=generator), train=n).splits for n in (10, 200))
        assert few["test"] == many["test"]
        assert few["validation"] == many["validation"]
        assert few["train"] == many["train"][:10]

    def test_no_two_splits_share_a_row(self, generator, kind):
        splits = embedded(source(embedded=generator), train=500, validation=100, test=200).splits
        bodies = [kind.clean(row).input for rows in splits.values() for row in rows]
        assert len(set(bodies)) == 800

    def test_another_seed_gives_other_rows(self, generator, kind):
        same, again, other = (embedded(source(embedded=generator), seed) for seed in (1, 1, 2))
        assert same == again
        assert same.splits["test"] != other.splits["test"]


@pytest.mark.parametrize("name", ["poems", "names"])  # one is not there, one generates no rows
def test_a_generator_that_is_not_there_is_one_line(name):
    with pytest.raises(DataError, match=rf"there is no src/synthetic/rows/{name}\.py"):
        embedded(source(embedded=name))


def test_a_task_without_generator_cannot_be_embedded():
    with pytest.raises(DataError, match=r"no embedded generator; use data=files or hub"):
        embedded(source(embedded=None))


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "chats"
    folder.mkdir()
    rows = [{"key": "a", "talk": "A: Hi.", "gist": "A greets.", "more": 1}, {"key": "b"}]
    lines = [*map(json.dumps, rows), "{broken"]
    (folder / "train.jsonl").write_text("\n".join(lines))
    (folder / "test.csv").write_text('key,talk,gist\nc,"A: Yes.\nB: No.",They differ.\n')
    return tmp_path


def files(root: Path | None, source: TaskSource) -> sources.Fetched:
    where = None if root is None else str(root)
    return read(sources.fetch("files", where, EMBEDDED, source, SummaryTask.fields))


def test_files_come_in_our_field_names(root):
    splits = files(root, source()).splits
    assert splits["train"].pop()["broken"].startswith("no JSON (")
    assert splits == {
        "train": [
            {"place": "line 1", "id": "a", "dialogue": "A: Hi.", "summary": "A greets."},
            {
                "place": "line 2",
                "broken": "dialogue is missing: the row has no 'talk'; "
                "summary is missing: the row has no 'gist'",
                "id": "b",
                "dialogue": None,
                "summary": None,
            },
        ],
        "test": [
            {
                "place": "line 2",
                "id": "c",
                "dialogue": "A: Yes.\nB: No.",
                "summary": "They differ.",
            }
        ],
    }


def test_rows_are_read_when_they_are_asked_for(root):
    fetched = sources.fetch("files", str(root), EMBEDDED, source(), SummaryTask.fields)
    (root / "chats/train.jsonl").write_text('{"key": "later", "talk": "A: Yes.", "gist": "x"}')
    rows = iter(fetched.splits["train"])
    assert next(rows)["id"] == "later"
    with pytest.raises(DataError, match="was written to while it was read"):
        next(rows)


def test_raw_rows_are_written_as_prepare_reads_them(root, tmp_path):
    fetched = sources.fetch("files", str(root), EMBEDDED, source(), SummaryTask.fields)
    written = sources.write(fetched.splits, tmp_path)
    assert {name: file.name for name, file in written.items()} == {
        "train": "train.jsonl", "test": "test.jsonl"
    }  # fmt: skip
    assert [row["place"] for row in read_jsonl(written["train"])] == ["line 1", "line 2", "line 3"]


def test_fields_may_stand_elsewhere_in_a_split(root):
    (root / "chats/test.csv").write_text('said;one;two\n"A: Yes; B: No.";They differ.;\n')
    spec = source().files.model_dump() | {
        "delimiter": ";",
        "fields_by_split": {"test": {"id": None, "dialogue": "said", "summary": ["one", "two"]}},
    }
    splits = files(root, source(files=spec)).splits
    assert splits["train"][0]["dialogue"] == "A: Hi."
    assert splits["test"] == [
        {
            "place": "line 2",
            "id": "test-2",
            "dialogue": "A: Yes; B: No.",
            "summary": ["They differ.", ""],
        }
    ]


def test_files_are_recorded_by_name_and_hash(root):
    origin = files(root, source()).origin
    content = (root / "chats/test.csv").read_bytes()
    assert origin["files"]["test"] == {
        "file": "chats/test.csv",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert (origin["source"], origin["licence"]) == ("files", "CC0")
    assert str(root) not in json.dumps(origin)  # the same data elsewhere is the same data


def test_a_source_without_ids_gets_them_from_the_places_of_its_rows(root):
    spec = source().files.model_dump()
    del spec["fields"]["id"]
    splits = files(root, source(files=spec)).splits
    assert [row.get("id") for row in splits["train"]] == ["train-1", "train-2", None]
    assert splits["test"][0]["id"] == "test-2"


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda root: (root / "chats").rename(root / "other"), "chats is no folder; data.root mus"),
        (lambda root: (root / "chats/test.csv").unlink(), "test.csv: no such file"),
    ],
)
def test_a_folder_or_file_that_is_not_there_is_told_by_name(root, break_it, said):
    break_it(root)
    with pytest.raises(DataError) as raised:
        files(root, source())
    assert said in str(raised.value)


def test_files_need_a_root():
    with pytest.raises(DataError, match=r"data\.root: is not set; give the folder"):
        files(None, source())


def priced(root: Path, file: str, content: str) -> sources.Fetched:
    """Prices from files, with a file of somebody's guesses beside them."""
    folder = root / "goods"
    folder.mkdir()
    for split in ("train", "test"):
        (folder / f"{split}.jsonl").write_text('{"id": 7, "text": "Lamp", "price": 5}')
    (folder / file).write_text(content)
    guesses = {"file": "human.csv", "id": "row", "guess": "usd", "source": "one person"}
    goods = {
        "folder": "goods",
        "splits": {"train": "train.jsonl", "test": "test.jsonl"},
        "fields": {"id": "id", "text": "text", "price": "price"},
        "guesses": {"human": guesses, "jury": guesses | {"file": "jury.jsonl"}},
    }
    return sources.fetch("files", str(root), EMBEDDED, source(files=goods), PriceTask.fields)


def test_guesses_come_with_the_files_by_the_ids_of_rows(tmp_path, caplog):
    caplog.set_level("INFO")
    fetched = priced(tmp_path, "human.csv", "row,usd,mood\n7,120,good\n9,0.5,bad\n")
    assert fetched.guesses == {
        "human": [
            {"id": "7", "guess": "120", "place": "line 2"},
            {"id": "9", "guess": "0.5", "place": "line 3"},
        ]
    }
    told = fetched.origin["guesses"]["human"]
    assert (told["file"], told["source"]) == ("goods/human.csv", "one person")
    assert len(told["sha256"]) == 64
    (said,) = caplog.messages  # of the file that is not there
    assert said.endswith("goods/jury.jsonl: no such file, hence no baseline 'jury'")


def test_guesses_may_be_in_any_format_that_rows_may(tmp_path):
    fetched = priced(tmp_path, "jury.jsonl", '{"row": 7, "usd": 3}\n')
    assert fetched.guesses == {"jury": [{"id": "7", "guess": 3, "place": "line 1"}]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("row,dollars\n7,120\n", "human.csv: line 2: has no 'usd'; it has 'row', 'dollars'"),
        ("row,usd\n ,120\n", "human.csv: line 2: id is ' ', must be text or an integer"),
        ("row,usd\n7,1\n7,2\n", "human.csv: line 3: a second answer to row '7'"),
        ("row,usd\n7\n", "human.csv: line 2: has 1 cells, the header has 2"),
    ],
)
def test_a_line_that_holds_no_guess_is_told_with_its_file_and_line(tmp_path, content, said):
    with pytest.raises(DataError) as raised:
        priced(tmp_path, "human.csv", content)
    assert said in str(raised.value)


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """The calls that reach the hub, in place of which something stands."""
    asked = []
    rows = {"talk": ["A: Hi.", "A: Bye."], "gist": ["A greets.", "A leaves."], "more": [1, 2]}

    def load_dataset(repo, config=None, revision=None):
        asked.append((repo, config, revision))
        split = datasets.Dataset.from_dict(rows)
        return datasets.DatasetDict(train=split, eval=split.select([1]))

    def current_commit(repo, repo_type):
        asked.append((repo, repo_type))
        return COMMIT

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(hub, "current_commit", current_commit)
    monkeypatch.setattr(sources.provenance, "downloads", lambda *_: {})
    return asked


def from_hub(source: TaskSource) -> sources.Fetched:
    return read(sources.fetch("hub", None, EMBEDDED, source, SummaryTask.fields))


def test_a_data_set_of_the_hub_comes_at_its_commit_in_our_field_names(asked):
    fetched = from_hub(source())
    assert asked == [("someone/chats", None, COMMIT)]
    assert fetched.splits == {
        "train": [
            {"place": "row 1", "id": "train-1", "dialogue": "A: Hi.", "summary": "A greets."},
            {"place": "row 2", "id": "train-2", "dialogue": "A: Bye.", "summary": "A leaves."},
        ],
        "test": [{"place": "row 1", "id": "test-1", "dialogue": "A: Bye.", "summary": "A leaves."}],
    }
    assert fetched.origin == {
        "source": "hub",
        "repo": "someone/chats",
        "revision": COMMIT,
        "pinned": True,
        "licence": "CC0",
    }


def test_a_data_set_without_commit_is_loaded_at_the_newest_which_is_recorded(asked):
    unpinned = source().hub.model_dump() | {"revision": None}
    fetched = from_hub(source(hub=unpinned))
    assert asked == [("someone/chats", "dataset"), ("someone/chats", None, COMMIT)]
    assert (fetched.origin["revision"], fetched.origin["pinned"]) == (COMMIT, False)


def test_a_task_that_is_not_on_the_hub_cannot_come_from_there(asked):
    with pytest.raises(DataError, match=r"has no source\.hub; use data=files or embedded"):
        from_hub(source(hub=None))
    assert asked == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"splits": {"train": "train", "test": "test"}}, "no split 'test'; it has train, eval"),
        (
            {"fields": {"dialogue": "talk", "summary": "gits"}},
            "train has no column 'gits'; it has talk, gist, more (source.hub.fields in the task's",
        ),
    ],
)
def test_a_split_or_column_that_the_data_set_lacks_is_told_with_those_it_has(asked, changed, said):
    with pytest.raises(DataError) as raised:
        from_hub(source(hub=source().hub.model_dump() | changed))
    assert str(raised.value).startswith(f"someone/chats: {said}")


def test_what_the_library_says_is_one_line(asked, monkeypatch):
    def load_dataset(*_, **__):
        raise RuntimeError("no\n  scripts")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DataError) as raised:
        from_hub(source())
    assert str(raised.value) == f"someone/chats: RuntimeError: no scripts (at {COMMIT})"


def test_a_column_of_a_list_that_no_row_has_is_a_slip(tmp_path):
    folder = tmp_path / "chats"
    folder.mkdir()
    for name in ("train", "test"):
        lines = [{"title": "Bolt", "price": 1}, {"price": 2, "details": ["M8"]}]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text)
    spec = source().files.model_dump() | {"splits": {"train": "train.jsonl", "test": "test.jsonl"}}

    def fetched(*columns: str) -> list[dict]:
        given = source(files=spec | {"fields": {"text": list(columns), "price": "price"}})
        splits = sources.fetch("files", str(tmp_path), EMBEDDED, given, PriceTask.fields).splits
        return list(splits["train"])

    assert [row["text"] for row in fetched("title", "details")] == ["Bolt", "M8"]
    with pytest.raises(DataError, match=r"train: no row has 'detials', which a list of columns"):
        fetched("title", "detials")
