"""`finetune dataset check` on good and bad files of each kind."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from finetune import cli
from finetune.composition import compose
from finetune.core.errors import DataError, UserError
from finetune.inspecting import command
from finetune.inspecting.command import Options
from finetune.tasks import registry

ROOT = Path(__file__).parents[2]
LONG = "the run that was killed resumes at the last checkpoint which it has saved to its folder"


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """What the command needs of the repository; the test stands in it."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "conf", folder / "conf")
    (folder / "dvc.yaml").touch()
    text = compose(ROOT, ["model.name=models/none"])
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def pair(question: str, answer: str = "Yes.", **more: object) -> dict:
    return {"instruction": question, "response": answer, **more}


def write(file: str, rows: list) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    Path(file).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Path(file)


def check(file: Path, capsys, **options: object) -> dict[str, str]:
    """The table's counts by their names; `said` is all that was printed."""
    assert command.run(Path(), file, Options(**{"kind": "instruction"} | options)) == 0
    said = capsys.readouterr().out
    table = said.split("\n\n")[1]
    parts = [line.rsplit("  ", 1) for line in table.splitlines()]
    return {name.strip(): value.strip() for name, value in parts} | {"said": said}


def test_a_good_file_is_counted(repository, capsys):
    rows = [pair(f"What is number {n} of the list?", f"It is {n * n}.") for n in range(40)]
    counts = check(write("rows.jsonl", rows), capsys)
    assert counts["rows"] == "40"
    assert counts["bad rows"] == "0 (0.00 %)"
    assert counts["exact repetitions"] == "0"
    assert counts["answer stands in the input"] == "0 of 40"
    assert "estimated, 4 characters a token" in counts["tokens of an epoch"]
    assert counts["tokens of a prompt"].startswith("mean 7, ")


def test_what_repeats_is_named_by_line(repository, capsys):
    rows = [
        pair("Who?", "Tom."),
        pair(f"Say: {LONG}"),
        pair("Who?", "Tom."),
        pair("Who?", "Ann."),
        pair(f"Say: {LONG} now"),
        pair(" ", "Tom."),
        pair("Where?", " "),
    ]
    said = check(write("rows.jsonl", rows), capsys)["said"]
    assert "Exact repetitions:\n  line 3: is line 1 again\n" in said
    assert "input:\n  line 4: asks what line 1 asks, and answers else\n" in said
    assert "Near-duplicates:\n  line 5: is 0.94 like line 2\n" in said
    assert "line 6: has no input: it would be dropped" in said
    assert "line 7: has no target: it would be dropped" in said


def test_leaks_into_another_file_are_named_by_line(repository, capsys):
    test = write("test.jsonl", [pair("Where?"), pair("Who?"), pair(f"Say: {LONG}")])
    train = write("train.jsonl", [pair("Why?"), pair("Who?", "No."), pair(f"Say: {LONG} now")])
    counts = check(train, capsys, against=test)
    assert counts["leaks: inputs of test.jsonl"] == "1"
    assert counts["leaks: near to test.jsonl"] == "1"
    assert (
        "Leaks into test.jsonl:\n  line 2: has the input of line 2 of test.jsonl\n"
        "  line 3: is 0.94 like line 3 of test.jsonl\n"
    ) in counts["said"]


def test_bad_rows_are_named_and_too_many_of_them_refused(repository, capsys):
    rows = [pair(f"{n}?") for n in range(6)]
    bad = ['{"instruction": "x"', "[1]", pair("x", 3), {"instruction": "x"}]
    file = write("rows.jsonl", [pair("a?", id="1"), *rows, *bad, ""])
    with pytest.raises(DataError) as raised:
        command.run(Path(), file, Options("instruction", show=2))
    assert str(raised.value) == (
        "rows.jsonl: line 2: id is None, must be text or an integer; 10 of 11 rows are bad, more "
        "than data.max_bad_rate (0.01) allows: mend them, or -S data.max_bad_rate=0.91"
    )
    said = capsys.readouterr().out
    assert "bad rows                             10 (90.91 %)" in said
    assert "… and 8 more (--show 10)" in said


def test_ids_that_stand_twice_are_bad_rows(repository):
    file = write("rows.jsonl", [pair("a?", id="1"), pair("b?", id="2"), pair("c?", id="1")])
    with pytest.raises(DataError, match="line 3: id '1' is that of line 1 too; 1 of 3 rows"):
        command.run(Path(), file, Options("instruction"))


def test_columns_are_given_by_options(repository, capsys):
    file = write("rows.jsonl", [{"q": "Who?", "a": "Tom.", "key": "x"}])
    with pytest.raises(DataError, match=r"has no 'instruction', the instruction of .* 'a', 'key'"):
        command.run(Path(), file, Options("instruction"))
    assert check(file, capsys, input="q", target=["a"], id="key")["rows"] == "1"
    with pytest.raises(DataError, match=r"has no 'b', the response of instruction; .* --target"):
        command.run(Path(), file, Options("instruction", input="q", target=["b"]))


def test_a_kind_that_init_knows_is_guessed(repository, capsys):
    Path("lamps.csv").write_text("SKU;Description;Price\n1;A lamp of steel;$1,299.00\n")
    counts = check(Path("lamps.csv"), capsys, kind="price")
    assert counts["bad rows"] == "0 (0.00 %)"


def test_a_task_says_the_columns_and_the_limits(repository, capsys):
    rows = [{"dialogue": f"Anna: Is it {n}?\nTom: Yes.", "summary": f"{n}.", "id": f"{n}"}
            for n in range(3)]  # fmt: skip
    Path("train.json").write_text(json.dumps(rows))
    counts = check(Path("train.json"), capsys, kind=None, task="samsum")
    assert counts["prompts above prompt.max_tokens (1024)"] == "0.0 %"
    counts = check(write("x.jsonl", [pair("Who?")]), capsys, kind=None, task="instructions")
    assert counts["rows"] == "1"


def test_a_task_s_curation_is_applied(repository, capsys):
    config = Path("conf/task/short.yaml")
    config.write_text("defaults: [samsum, _self_]\nsource: {curate: {characters: {min: 20}}}\n")
    rows = [
        {"dialogue": f"Anna: {'Hi. ' * times}", "summary": "x.", "id": f"{times}"}
        for times in (1, 9)
    ]
    Path("train.json").write_text(json.dumps(rows))
    counts = check(Path("train.json"), capsys, kind=None, task="short")
    assert (counts["rows"], counts["dropped too short"]) == ("1", "1")


@pytest.mark.parametrize("kind", registry.names())
def test_every_kind_says_what_a_file_lacks(repository, kind):
    file = write("rows.jsonl", [{"n": 1.5, "other": [1]}])
    with pytest.raises(UserError) as raised:
        command.run(Path(), file, Options(kind))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give --kind, or --task"),
        ({"kind": "math", "task": "samsum"}, "give --kind, or --task"),
        ({"task": "nothing"}, "--task: there is no conf/task/nothing.yaml; there are "),
    ],
)
def test_kind_or_task_is_needed(repository, options, said):
    file = write("rows.jsonl", [pair("Who?")])
    with pytest.raises(UserError, match=said):
        command.run(Path(), file, Options(**options))


def damaged() -> dict[str, tuple[str, bytes]]:
    table = pa.table({"instruction": ["a"] * 99, "response": ["b"] * 99})
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    whole = sink.getvalue().to_pybytes()
    return {
        "nothing": ("rows.jsonl", b""),
        "blank lines": ("rows.jsonl", b"\n\n"),
        "bytes": ("rows.jsonl", b"\xff\xfe\x00"),
        "deep": ("rows.jsonl", b"[" * 100_000),
        "digits": ("rows.jsonl", b'{"instruction": ' + b"1" * 5_000 + b"}"),
        "an object": ("rows.json", b'{"a": 1}'),
        "half an array": ("rows.json", b'[{"instruction": "a"'),
        "a number": ("rows.json", b"[" + b"9" * 5_000 + b"]"),
        "open quote": ("rows.csv", b'instruction,response\n"a,b\n'),
        "two headers": ("rows.csv", b"instruction,instruction\na,b\n"),
        "no rows": ("rows.csv", b"instruction,response\n"),
        "other columns": ("rows.csv", b"a,b\n1,2\n"),
        "surrogate": ("rows.jsonl", b'{"instruction": "\\ud800", "response": "b"}\n'),
        "half a table": ("rows.parquet", whole[: len(whole) // 2]),
        "no table": ("rows.parquet", b"PAR1" + bytes(40) + b"PAR1"),
        "unknown": ("rows.xyz", b"x"),
        "no name": ("rows", b"x"),
    }


@pytest.mark.parametrize("name", damaged())
def test_a_bad_file_is_one_line(repository, monkeypatch, capsys, name):
    file, content = damaged()[name]
    Path(file).write_bytes(content)
    line = ["finetune", "dataset", "check", file, "--kind", "instruction"]
    monkeypatch.setattr("sys.argv", line)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("finetune: ")
    assert file in said
    assert len(said) < 600


def test_files_that_are_not_there_are_one_line(repository):
    with pytest.raises(UserError, match=r"nowhere\.jsonl: no such file"):
        command.run(Path(), Path("nowhere.jsonl"), Options("instruction"))
    Path("folder.jsonl").mkdir()
    with pytest.raises(UserError, match=r"folder\.jsonl: no such file"):
        command.run(Path(), Path("folder.jsonl"), Options("instruction"))
    file = write("rows.jsonl", [pair("Who?")])
    with pytest.raises(UserError, match=r"nowhere\.jsonl: no such file"):
        command.run(Path(), file, Options("instruction", against=Path("nowhere.jsonl")))
