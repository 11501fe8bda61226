import pytest

from finetune.core import jsonl_file
from finetune.core.errors import FileError
from finetune.core.files import read_jsonl, write_jsonl
from finetune.core.jsonl_file import JsonlFile

ROWS = [{"id": str(n), "text": f"{n} \u2028 é" * (n % 5)} for n in range(100)]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, ROWS)
    return path


def test_rows_are_those_that_the_whole_file_has(file, monkeypatch):
    monkeypatch.setattr(jsonl_file, "BLOCK", 7)
    rows = JsonlFile(file, dict)
    assert len(rows) == 100
    assert list(rows) == read_jsonl(file) == ROWS
    assert rows[-1] == ROWS[-1]
    assert rows[3:70:9] == ROWS[3:70:9]
    with pytest.raises(IndexError):
        rows[100]


def test_a_row_is_what_the_caller_makes_of_it(file):
    assert list(JsonlFile(file, lambda row: row["id"])) == [row["id"] for row in ROWS]


def test_a_last_line_needs_no_end_and_an_empty_file_has_no_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}')
    assert list(JsonlFile(path, dict)) == [{"a": 1}, {"a": 2}]
    path.write_text("")
    assert list(JsonlFile(path, dict)) == []


def test_only_a_row_that_is_asked_for_is_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\nbroken\n{"a": 3}\n')
    rows = JsonlFile(path, dict)
    assert rows[2] == {"a": 3}
    with pytest.raises(FileError, match=r"rows\.jsonl: line 2: no JSON"):
        rows[1]
