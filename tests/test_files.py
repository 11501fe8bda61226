import hashlib
import json
from pathlib import Path

import pytest

from finetune import files


def test_text_is_written_into_folders_that_are_not_there_yet(tmp_path):
    file = tmp_path / "a" / "b.txt"
    files.write_text(file, "é\r\nü\n")
    assert file.read_bytes() == "é\r\nü\n".encode()
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "file.txt"
    files.write_text(file, "old")
    with pytest.raises(UnicodeEncodeError):  # a lone surrogate has no UTF-8
        files.write_text(file, "x" * 100_000 + "\ud800")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("value", [{"mae": float("nan")}, {"a": {1, 2}}])
def test_json_that_others_could_not_read_is_not_written(tmp_path, value):
    file = tmp_path / "metrics.json"
    files.write_json(file, {"mae": 1})
    with pytest.raises((ValueError, TypeError)):
        files.write_json(file, value)
    assert files.read_json(file) == {"mae": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_a_row_that_cannot_be_written_leaves_the_old_rows(tmp_path):
    file = tmp_path / "rows.jsonl"
    files.write_jsonl(file, [{"id": "1"}])

    def rows():
        yield {"id": "2"}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        files.write_jsonl(file, rows())
    assert files.read_jsonl(file) == [{"id": "1"}]


def test_json_keeps_its_order_and_its_letters(tmp_path):
    file = tmp_path / "file.json"
    files.write_json(file, {"b": "é", "a": 1})
    assert file.read_text(encoding="utf-8") == '{\n  "b": "é",\n  "a": 1\n}\n'


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0c", "\x1c", "\r", "\r\n"])
def test_a_character_that_looks_like_a_line_end_splits_no_row(tmp_path, character):
    file = tmp_path / "rows.jsonl"
    rows = [{"text": f"one{character}two"}, {"text": "three"}]
    files.write_jsonl(file, rows)
    assert files.read_jsonl(file) == rows


def test_each_row_is_a_line_of_json(tmp_path):
    file = tmp_path / "rows.jsonl"
    files.write_jsonl(file, iter([{"a": "x\ny"}, {"a": 2}]))
    assert [json.loads(line) for line in file.read_text().splitlines()] == [{"a": "x\ny"}, {"a": 2}]


def test_sha256_is_that_of_the_bytes(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    assert files.sha256(file) == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_folder_stays_as_it_was_when_the_block_fails(tmp_path, error):
    out = tmp_path / "out"
    out.mkdir()
    (out / "rows").write_text("old")

    def fail_halfway():
        with files.replaced_folder(out) as folder:
            (folder / "rows").write_text("half")
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert (out / "rows").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_is_replaced_whole_when_the_block_ends(tmp_path):
    out = tmp_path / "parent" / "out"
    for name in ("first", "second"):
        with files.replaced_folder(out) as folder:
            assert folder != out
            (folder / name).write_text(name)
    assert [file.name for file in out.iterdir()] == ["second"]
    assert list(out.parent.iterdir()) == [out]
    assert out.stat().st_mode & 0o777 == 0o755


def test_a_table_comes_back_as_it_was_written(tmp_path):
    rows = [{"group": 'a "b"\tc', "mae": 1.5}, {"group": "line\nbreak", "mae": 2}]
    files.write_tsv(tmp_path / "table.tsv", rows)
    assert (tmp_path / "table.tsv").read_text().startswith("group\tmae\n")
    assert files.read_tsv(tmp_path / "table.tsv") == [
        {"group": 'a "b"\tc', "mae": "1.5"},
        {"group": "line\nbreak", "mae": "2"},
    ]


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old.txt").write_text("old")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target.name == "out" and not self.name.endswith(".old.partial"):
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no"), files.replaced_folder(tmp_path / "out"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out/old.txt").read_text() == "old"
