import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from finetune.core.errors import DataError
from finetune.data import readers


@pytest.fixture
def read(tmp_path):
    """Writes a file and gives the rows that are read from it."""

    def written(name: str, content: str | bytes) -> list[readers.Placed]:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(readers.read(file))

    return written


def message(read, name: str, content: str | bytes) -> str:
    with pytest.raises(DataError) as raised:
        read(name, content)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_json_is_an_array_of_rows(read):
    assert read("a.json", '[{"id": 1},\n {"id": "é"}]') == [
        ("row 1", {"id": 1}),
        ("row 2", {"id": "é"}),
    ]


def test_json_lines_keep_their_line_numbers(read):
    assert read("a.jsonl", '{"id": 1}\n\n{"id": "a\u2028b"}\n{"id": 3}') == [
        ("line 1", {"id": 1}),
        ("line 3", {"id": "a\u2028b"}),
        ("line 4", {"id": 3}),
    ]


def test_a_row_of_csv_is_where_it_begins_however_many_lines_it_has(read):
    text = 'id,text\n1,"one\ntwo\n\nfour"\n2,"say ""x"", he said"\n\n3,"a\r\nb"\n4,last'
    assert read("a.csv", text) == [
        ("line 2", {"id": "1", "text": "one\ntwo\n\nfour"}),
        ("line 6", {"id": "2", "text": 'say "x", he said'}),
        ("line 8", {"id": "3", "text": "a\r\nb"}),
        ("line 10", {"id": "4", "text": "last"}),
    ]


def test_a_csv_row_of_another_length_is_said_to_be_so(read):
    assert read("a.csv", "id,text\n1\n2,x,y\n3,z\n") == [
        ("line 2", "has 1 cells, the header has 2"),
        ("line 3", "has 3 cells, the header has 2"),
        ("line 4", {"id": "3", "text": "z"}),
    ]


def test_a_cell_may_be_long(read):
    text = "x" * 300_000
    assert read("a.csv", f"text\n{text}\n") == [("line 2", {"text": text})]


def test_cells_may_stand_apart_by_other_characters(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('\ufeffid;text\n1;"one; two, three"\n', encoding="utf-8")
    assert list(readers.read(file, ";")) == [("line 2", {"id": "1", "text": "one; two, three"})]


def test_parquet_gives_values_of_its_types(tmp_path):
    file = tmp_path / "a.parquet"
    rows = [{"id": 1, "price": 1.5, "category": None}, {"id": 2, "price": 2.0, "category": "a"}]
    pa.parquet.write_table(pa.Table.from_pylist(rows), file)
    assert list(readers.read(file)) == [("row 1", rows[0]), ("row 2", rows[1])]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", "[]"), ("a.jsonl", ""), ("a.csv", ""), ("a.csv", "id,text\n")],
)
def test_a_file_without_rows_gives_none(read, name, content):
    assert read(name, content) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", '[{"id": "1"}]'), ("a.JSONL", '{"id": "1"}\n'), ("a.csv", "id\n1\n")],
)
def test_a_byte_order_mark_is_no_part_of_the_first_name(read, name, content):
    ((_, row),) = read(name, b"\xef\xbb\xbf" + content.encode())
    assert row == {"id": "1"}


def test_truncated_json_is_told_with_file_and_line(read, tmp_path):
    whole = json.dumps([{"id": str(n)} for n in range(9)], indent=1)
    cut = "\n".join(whole.splitlines()[:8]) + "\n"
    told = message(read, "cut.json", cut)
    assert told.startswith(f"{tmp_path / 'cut.json'}: line 9: no JSON (")
    assert "is the file complete?" in told


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "", "line 1: no JSON"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", '{"id": 1}', "holds dict, must be an array of objects"),
        ("a.csv", 'id,text\n1,x\n2,"never\nclosed\n', "line 3: no CSV (unexpected end of data)"),
        ("a.csv", '"id"x,text\n1,x\n', "line 1: no CSV ("),
        ("a.csv", "id,text,text\n1,x,y\n", "line 1: two columns are called 'text'; rename one"),
        ("a.parquet", "PAR1 or not", "no Parquet ("),
        ("a.json", b'[{"id": "\xe9"}]', "byte 9: not UTF-8; convert the file"),
        ("a.jsonl", b'{"id": "\xe9"}\n', "byte 8: not UTF-8; convert the file"),
        ("a.csv", b"id\n\xe9\n", "byte 3: not UTF-8; convert the file"),
        ("a.xls", "id\n", "unknown format; known: .json, .jsonl, .csv, .tsv, .parquet"),
        ("rows", "id\n", "unknown format; known: .json, .jsonl, .csv, .tsv, .parquet"),
    ],
)
def test_a_file_that_is_none_of_its_format_is_told_by_name(read, tmp_path, name, content, said):
    assert message(read, name, content).startswith(f"{tmp_path / name}: {said}")


def test_a_byte_that_is_not_utf_8_is_found_deep_in_a_file(read):
    lines = b'{"id": "1"}\n' * 5000
    assert f"byte {len(lines) + 8}: not UTF-8" in message(
        read, "a.jsonl", lines + b'{"id": "\xe9"}\n'
    )


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
@pytest.mark.parametrize("before", [0, 3])
def test_bytes_are_counted_from_the_beginning_of_the_file(read, monkeypatch, name, before):
    monkeypatch.setattr(readers, "BLOCK", 16)  # the character begins in one block
    mark = b"\xef\xbb\xbf"[:before]
    told = message(read, name, mark + b'["' + b"x" * (13 - before) + b'\xe2\x82"]\n')
    assert "byte 15: not UTF-8" in told


def test_rows_are_read_as_they_are_asked_for(tmp_path):
    broken = {"a.jsonl": b'{"id": 1}\n{"id": "\xe9"}\n', "a.csv": b'id\n1\n"2\n',
              "a.json": b'[{"id": 1}, 7 8]'}  # fmt: skip
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    # Text is decoded block by block: what is wrong there with a file shows at once.
    rows = readers.read(tmp_path / "a.csv")
    assert next(rows) == ("line 2", {"id": "1"})
    with pytest.raises(DataError, match=r"line 3: no CSV"):
        list(rows)
    rows = readers.read(tmp_path / "a.jsonl")
    assert next(rows) == ("line 1", {"id": 1})
    with pytest.raises(DataError, match=r"byte 18: not UTF-8"):
        list(rows)
    rows = readers.read(tmp_path / "a.json")
    assert next(rows) == ("row 1", {"id": 1})
    assert next(rows) == ("row 2", "is 7, no object")
    with pytest.raises(DataError, match=r"line 1: no JSON \(Expecting ',' delimiter\)"):
        list(rows)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1, 2", "Expecting ',' delimiter"),
        ("[1,\n]", "line 2: no JSON (Expecting value)"),
        ("[1] 2", "Extra data"),
        ("[,1]", "Expecting value"),
        ("[1,,2]", "Expecting value"),
        ("7", "holds int, must be an array of objects"),
        ("x", "line 1: no JSON (Expecting value)"),
    ],
)
def test_what_is_no_array_is_told_as_by_a_parser_of_the_whole(read, content, said):
    assert said in message(read, "a.json", content)


def test_an_array_may_have_blanks_anywhere(read):
    assert [row for _, row in read("a.json", ' \n[ {"id": 1} ,\t{"id": 2}\r\n] \n')] == [
        {"id": 1}, {"id": 2}
    ]  # fmt: skip


def test_parquet_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "PARQUET_ROWS", 3)
    rows = [{"id": n, "tags": ["a", None], "more": {"x": n / 2}} for n in range(10)]
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=4)
    assert list(readers.read(tmp_path / "a.parquet")) == [
        (f"row {n}", row) for n, row in enumerate(rows, start=1)
    ]


def test_a_missing_file_is_told_with_where_its_name_stands(tmp_path):
    with pytest.raises(DataError, match=r"nope\.json: no such file; .*\(source\.files\)"):
        list(readers.read(tmp_path / "nope.json"))


def test_a_folder_is_no_file(tmp_path: Path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(DataError, match="no such file"):
        list(readers.read(tmp_path / "a.json"))


def test_a_broken_line_is_one_row_and_not_the_end_of_all(read):
    first, broken, number, last = read("a.jsonl", '{"id": 1}\n{"id": 2\n7\n{"id": 4}\n')
    assert (first, last) == (("line 1", {"id": 1}), ("line 4", {"id": 4}))
    place, said = broken
    assert place == "line 2"
    assert said.startswith("no JSON (")
    assert "column 9" in said
    assert number == ("line 3", "is 7, no object")


def test_a_line_nested_without_end_is_one_row(read):
    rows = read("a.jsonl", '{"id": 1}\n' + "[" * 100_000 + '\n{"id": 2}\n')
    assert rows[1] == ("line 2", "nested too deeply")
    assert [place for place, _ in rows] == ["line 1", "line 2", "line 3"]


def test_an_entry_of_an_array_that_is_no_object_is_one_row(read):
    assert read("a.json", '["x", {"id": 1}]') == [
        ("row 1", "is 'x', no object"),
        ("row 2", {"id": 1}),
    ]


def test_a_file_of_tabs_is_read_by_its_ending(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_text("id\ttext\n1\ta, b\n")
    assert list(readers.read(file)) == [("line 2", {"id": "1", "text": "a, b"})]
