"""Bad input of every sort: one line that says where, exit code 2, nothing touched."""

import functools
import gzip
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml

from finetune.core import params
from finetune.core.errors import one_line
from finetune.data import readers
from finetune.stages import fetch, prepare

ROOT = Path(__file__).parent.parent
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
Write = Callable[[Path], object]

CHATS = [
    {"id": str(n), "dialogue": f"Ann: Is it {n}?\nTom: Yes, {n}.", "summary": f"It is {n}."}
    for n in range(12)
]
GOODS = [{"id": f"p-{n}", "text": f"Lamp of {n} watts", "price": n + 0.5} for n in range(12)]


def of_chats(**changed: object) -> list[dict[str, Any]]:
    """Three rows, the first of which has other values; those of None are left out."""
    first = {k: v for k, v in (CHATS[0] | changed).items() if v is not None}
    return [first, *CHATS[1:3]]


def of_goods(**changed: object) -> list[dict[str, Any]]:
    return [GOODS[0] | changed, *GOODS[1:3]]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def csv(*rows: str, header: str = "id,dialogue,summary") -> str:
    return "".join(f"{row}\n" for row in (header, *rows))


def table(rows: list[dict[str, Any]] | pa.Table) -> bytes:
    content = io.BytesIO()
    made = pa.Table.from_pylist(rows) if isinstance(rows, list) else rows
    pa.parquet.write_table(made, content, compression="none")
    return content.getvalue()


def damaged_page() -> bytes:
    content = bytearray(table(CHATS * 50))
    content[10:400] = bytes(reversed(content[10:400]))
    return bytes(content)


def zipped(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("train.jsonl", text)
    return content.getvalue()


def broken_long_line(path: Path) -> None:
    with path.open("w") as file:
        file.write('{"id": "1", "dialogue": "')
        file.writelines("x" * 2**20 for _ in range(50))
        file.write("\n" + lines(CHATS))


BARE = ["id", "dialogue", "summary"]
TWICE = pa.Table.from_arrays([pa.array(["a"])] * 4, names=[*BARE, "summary"])
LATE = pa.table(
    {
        **{name: ["a"] for name in BARE[:2]},
        "summary": pa.array([2**53], pa.int64()).cast(pa.timestamp("ms")),
    }
)
BYTES = [{"id": "1", "dialogue": b"Ann: \xff", "summary": "x"}]
NESTED = [{"id": "1", "dialogue": "Ann: Hi.", "summary": [b"\xff"]}]

# Name of the file of train in its folder, its content or how it is made, and what is said.
CHAT_CASES: dict[str, tuple[str, str | bytes | Write, str]] = {
    "empty JSON": ("a.json", "", r"a\.json: line 1: no JSON"),
    "JSON cut short": (
        "a.json",
        json.dumps(CHATS, indent=1)[:-30],
        r"a\.json: line \d+: no JSON .*comp",
    ),
    "Latin-1": (
        "a.json",
        '[{"id": "é"}]'.encode("latin-1"),
        r"a\.json: byte 9: not UTF-8; convert",
    ),
    "UTF-16": ("a.json", json.dumps(CHATS).encode("utf-16"), r"a\.json: is UTF-16; convert it"),
    "UTF-16 in CSV": ("a.csv", csv("1,x,y").encode("utf-16"), r"a\.csv: is UTF-16; convert it"),
    "no array": ("a.json", json.dumps(CHATS[0]), r"a\.json: holds dict, must be an array"),
    "array of texts": ("a.json", '["x", "y"]', r"a\.json: row 1: is 'x', no object; 2 of 2 rows"),
    "trailing comma": ("a.json", '[{"id": "1"},]', r"a\.json: line 1: no JSON"),
    "nested without end": ("a.json", "[" * 100_000, r"a\.json: nested too deeply"),
    "5,000 digits": (
        "a.json",
        f'[{{"id": {"9" * 5000}}}]',
        r"a\.json: row 1: has a number of 5,000 digits",
    ),
    "key that stands twice": (
        "a.jsonl",
        '{"id": "1", "id": "2"}\n',
        r"a\.jsonl: line 1: has 'id' twice",
    ),
    "NaN as text": (
        "a.jsonl",
        lines(of_chats(dialogue=float("nan"))),
        "line 1: dialogue is nan, mu",
    ),
    "half a character in an id": (
        "a.jsonl",
        lines(of_chats(id="\ud83d")),
        r"line 1: id holds an unpaired surrogate",
    ),
    "half a character in a text": (
        "a.jsonl",
        lines(of_chats(dialogue="a\ud83d")),
        "line 1: dialogue holds an unpaired surrog",
    ),
    "no id": ("a.jsonl", lines(of_chats(id=None)), r"a\.jsonl: line 1: id is None, must be text"),
    "id that is a fraction": (
        "a.jsonl",
        lines(of_chats(id=1.5)),
        r"line 1: id is 1\.5, must be te",
    ),
    "id of 3 MB": ("a.jsonl", lines(of_chats(id=["x" * 3_000_000])), r"line 1: id is \['xxx"),
    "text of 3 MB in a list": (
        "a.jsonl",
        lines(of_chats(dialogue=["x" * 3_000_000])),
        r"line 1: dialogue is \['xxx",
    ),
    "ids that stand twice": (
        "a.jsonl",
        lines([*CHATS[:2], CHATS[0]]),
        r"a\.jsonl: id '0' stands in more than one row",
    ),
    "column that is missing": (
        "a.jsonl",
        lines(of_chats(dialogue=None)),
        r"a\.jsonl: line 1: dialogue is missing",
    ),
    "number in place of a text": (
        "a.jsonl",
        lines(of_chats(summary=5)),
        "line 1: summary is 5, mus",
    ),
    "list of numbers": (
        "a.jsonl",
        lines(of_chats(summary=[5])),
        "line 1: summary 1 is 5, must be t",
    ),
    "gzip": (
        "a.jsonl",
        gzip.compress(lines(CHATS).encode()),
        r"a\.jsonl: is compressed by gzip; un",
    ),
    "gzip by its name": (
        "a.jsonl.gz",
        lines(CHATS),
        r"a\.jsonl\.gz: unknown format; known: \.json",
    ),
    "ZIP": (
        "a.jsonl",
        zipped("é" * 99),
        r"a\.jsonl: is a ZIP archive, or a spreadsheet; unpack it",
    ),
    "line of 50 MB": ("a.jsonl", broken_long_line, r"a\.jsonl: line 1: no JSON"),
    "line ends of old": (
        "a.jsonl",
        lines(CHATS[:3]).replace("\n", "\r"),
        r"a\.jsonl: line 1: no JSON \(Extra data",
    ),
    "NUL": ("a.jsonl", b"\0" * 100, r"a\.jsonl: line 1: no JSON"),
    "empty JSON lines": ("a.jsonl", "", r"samsum: no rows are left in train|too few"),
    "empty CSV": ("a.csv", "", r"samsum: no rows are left in train|too few"),
    "CSV of a header": ("a.csv", csv(), r"samsum: no rows are left in train|too few"),
    "quote in a header": (
        "a.csv",
        csv("1,x,y", header='"id"x,dialogue'),
        r"a\.csv: line 1: no CSV",
    ),
    "quote that never ends": ("a.csv", csv('1,"x,y', "2,x,y"), r"a\.csv: line 2: no CSV"),
    "row that is longer": ("a.csv", csv("1,x,y,z"), r"line 2: has 4 cells, the header has 3"),
    "columns of one name": (
        "a.csv",
        csv("1,x,y", header="id,dialogue,id"),
        r"line 1: two columns are called 'id'; ren",
    ),
    "semicolons": (
        "a.csv",
        csv("1;x;y", header="id;dialogue;summary"),
        r"a\.csv: line 2: dialogue is missing",
    ),
    "cell of 17 MB": (
        "a.csv",
        csv(f"1,{'x' * 17 * 2**20},y"),
        r"a\.csv: line 2: no CSV \(field larger than",
    ),
    "no Parquet": ("a.parquet", "PAR1 or not", r"a\.parquet: no Parquet \("),
    "empty Parquet": ("a.parquet", "", r"a\.parquet: no Parquet \("),
    "Parquet cut short": ("a.parquet", table(CHATS)[:-50], r"a\.parquet: no Parquet \("),
    "damaged page": ("a.parquet", damaged_page(), r"a\.parquet: (no Parquet \(|row \d+: )"),
    "binary column": ("a.parquet", table(BYTES), r"a\.parquet: row 1: dialogue is binary, must be"),
    "binary in a list": ("a.parquet", table(NESTED), r"a\.parquet: row 1: summary is binary, must"),
    "date beyond Python's": ("a.parquet", table(LATE), r"a\.parquet: no Parquet \("),
    "Parquet's columns of one name": (
        "a.parquet",
        table(TWICE),
        r"a\.parquet: its schema: two columns are called 'summary'; ren",
    ),
    "Parquet by another name": (
        "a.jsonl",
        table(CHATS),
        r"a\.jsonl: (is Parquet; let its|byte|line 1)",
    ),
    "no file": (
        "a.jsonl",
        lambda path: None,
        r"a\.jsonl: no such file; file names stand in the task",
    ),
    "folder": ("a.jsonl", lambda path: path.mkdir(), r"a\.jsonl: no such file"),
    "loop of links": (
        "a.jsonl",
        lambda path: path.symlink_to(path.name),
        r"a\.jsonl: no such file",
    ),
    "pipe": ("a.jsonl", os.mkfifo, r"a\.jsonl: no such file"),
    "file that cannot be read": (
        "a.jsonl",
        lambda path: path.symlink_to("/proc/self/mem"),
        r"(a\.jsonl|a file|mem).*; ",
    ),
}

GOODS_CASES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "another currency": (of_goods(price="€ 5"), "line 1: price is '€ 5', must be a number, such"),
    "underscores": (of_goods(price="1_000"), "line 1: price is '1_000', must be a number, such as"),
    "comma of thousands, or of decimals": (
        of_goods(price="1,299"),
        "which may be 1.299 or 1299; wr",
    ),
    "points of thousands": (
        of_goods(price="1.299,00"),
        "price is '1.299,00', must be a number, su",
    ),
    "words": (
        of_goods(price="twelve"),
        "line 1: price is 'twelve', must be a number, such as 12.5",
    ),
    "NaN": (of_goods(price=float("nan")), "line 1: price is nan, must be a number from 0"),
    "NaN as text": (of_goods(price="nan"), "line 1: price is nan, must be a number from 0"),
    "infinity": (of_goods(price=float("inf")), "line 1: price is inf, must be a number from 0"),
    "negative": (of_goods(price=-5), "line 1: price is -5, must be a number from 0"),
    "true": (of_goods(price=True), "line 1: price is True, must be a number, such as 12.5"),
    "400 digits": (of_goods(price="9" * 400), "line 1: price is inf, must be a number from 0"),
    "4,000 digits": (of_goods(price=10**4000), "line 1: price is 1000"),
    "3 MB of text": (of_goods(price="x" * 3_000_000), "line 1: price is 'xxx"),
    "half a character in a category": (
        of_goods(category="\ud83d"),
        "line 1: category holds an unpaired surrogate at position 0",
    ),
    "number as category": (of_goods(category=5), "line 1: category is 5, must be text or missing"),
}


@pytest.fixture(scope="module")
def fetched(tmp_path_factory) -> Path:
    """A folder of files to read from, and a repository in which all of it was fetched."""
    base = tmp_path_factory.mktemp("base")
    (base / "repository").mkdir()
    shutil.copy(ROOT / "dvc.yaml", base / "repository")
    for name, rows in (("samsum", CHATS), ("price", GOODS)):
        folder = base / "source" / name
        folder.mkdir(parents=True)
        (folder / "train.jsonl").write_text(lines(rows))
        tests = [row | {"id": f"t-{row['id']}"} for row in rows[:3]]
        (folder / "test.jsonl").write_text(lines(tests))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(base / "repository")
        configure(base / "source")
        for task in ("samsum", "price"):
            run(task)
    return base


@pytest.fixture
def source(fetched, tmp_path, monkeypatch) -> Path:
    """The same for one test, which stands in the repository."""
    shutil.copytree(fetched, tmp_path / "base")
    monkeypatch.chdir(tmp_path / "base/repository")
    configure(tmp_path / "base/source")
    return tmp_path / "base/source"


@functools.cache
def defaults() -> str:
    return json.dumps(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")))


def configure(folder: Path, **files: object) -> None:
    """Write params.yaml: files of a folder as the source, and keys of where samsum's stand."""
    everything = json.loads(defaults())
    everything["data"] |= {"source": "files", "root": str(folder)}
    everything["data"]["near_duplicates"]["threshold"] = None
    everything["run"]["workers"] = 1
    for task in ("samsum", "price"):
        spec = everything["tasks"][task]["source"]["files"]
        spec["splits"] = {"train": "train.jsonl", "test": "test.jsonl"}
    everything["tasks"]["samsum"]["source"]["files"] |= files
    Path("params.yaml").write_text(yaml.safe_dump(everything, sort_keys=False), encoding="utf-8")


def run(task: str) -> None:
    fetch.run(params.for_stage("fetch", task), task)
    prepare.run(params.for_stage("prepare", task), task)


def written(*folders: str) -> dict[str, bytes]:
    found = [file for folder in folders for file in Path(folder).rglob("*")]
    return {str(file): file.read_bytes() for file in found if file.is_file()}


def refused(task: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What fetch, and prepare after it, say of the data; checks all that holds for any refusal."""
    before = written("data", "metrics")
    results = written("data/prepared", "metrics")
    capsys.readouterr()

    def stages() -> None:
        nonlocal before
        with one_line(f"finetune: {task}"):
            fetch.run(params.for_stage("fetch", task), task)
            # What was fetched whole is new; what an earlier `prepare` made of it must not be.
            before = written("data/raw") | results
            prepare.run(params.for_stage("prepare", task), task)

    with pytest.raises(SystemExit) as ended:
        stages()
    assert ended.value.code == 2
    said = re.findall(r"^finetune: .*", capsys.readouterr().err, re.MULTILINE)
    assert len(said) == 1, said
    assert len(said[0]) < 700
    assert written("data", "metrics") == before  # no half of anything beside it either
    return said[0]


@pytest.mark.parametrize("case", CHAT_CASES)
def test_a_bad_file_is_one_line_and_touches_nothing(source, capsys, case):
    name, content, said = CHAT_CASES[case]
    if case == "file that cannot be read" and not Path("/proc/self/mem").exists():
        pytest.skip("no file here that nobody can read")
    path = source / "samsum" / name
    if callable(content):
        content(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    configure(source, splits={"train": name, "test": "test.jsonl"})
    assert re.search(said, refused("samsum", capsys)), case


@pytest.mark.parametrize("case", GOODS_CASES)
def test_a_bad_value_is_one_line_and_touches_nothing(source, capsys, case):
    rows, said = GOODS_CASES[case]
    (source / "price/train.jsonl").write_text(lines(rows))
    assert said in refused("price", capsys)


@pytest.mark.parametrize("root", ["nowhere", "a file", "a loop"])
def test_a_root_that_is_none_is_one_line(source, capsys, root):
    (source / "a file").touch()
    (source / "a loop").symlink_to("a loop")
    configure(source / root)
    assert "data.root: " in refused("samsum", capsys)


@pytest.mark.skipif(IS_ROOT, reason="root may read every folder")
@pytest.mark.parametrize("what", ["samsum", "samsum/train.jsonl"])
def test_what_may_not_be_read_is_one_line(source, capsys, what):
    (source / what).chmod(0)
    try:
        assert "see its permissions" in refused("samsum", capsys)
    finally:
        (source / what).chmod(0o755)


def test_a_file_that_grows_while_it_is_read_is_one_line(source, capsys, monkeypatch):
    file = source / "samsum/train.jsonl"
    read = readers.read

    def growing(path: Path, *rest: str) -> Any:
        for number, row in enumerate(read(path, *rest)):
            if path == file and number == 3:
                with file.open("a") as more:
                    more.write(lines([CHATS[0] | {"id": "new"}]))
            yield row

    monkeypatch.setattr(readers, "read", growing)
    assert "train.jsonl: was written to while it was read; when that has" in refused(
        "samsum", capsys
    )


@pytest.mark.parametrize("text", ["\ufeff", "\n\n"])
def test_what_is_only_odd_is_read(source, text):
    """A byte order mark, blank lines, and numbers as people write them."""
    rows = [
        row | {"price": price}
        for row, price in zip(GOODS[4:8], ("$1,299.00", "5 USD", " 7", "1e2"), strict=True)
    ]
    (source / "price/train.jsonl").write_text(text + lines(rows), encoding="utf-8")
    run("price")
    prepared = written("data/prepared")
    kept = [
        json.loads(line)
        for name, content in prepared.items()
        if "price/train" in name or "price/valid" in name
        for line in content.splitlines()
    ]
    assert sorted(row["price"] for row in kept) == [5.0, 7.0, 100.0, 1299.0]
