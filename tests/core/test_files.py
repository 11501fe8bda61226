import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.core import files
from finetune.core.errors import FileError


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
    assert files.write_jsonl(file, iter([{"a": "x\ny"}, {"a": 2}])) == 2
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


def interrupted(monkeypatch, moment: int, error: type[BaseException]) -> None:
    """The `moment`-th rename is the last thing that happens before an interrupt."""
    rename, done = Path.rename, []

    def renamed(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        done.append(target)
        if len(done) == moment:
            raise error
        return moved

    monkeypatch.setattr(Path, "rename", renamed)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize(("moment", "left"), [(1, "old"), (2, "new")])
def test_an_interrupt_of_the_swap_loses_no_folder(tmp_path, monkeypatch, moment, left, error):
    out = tmp_path / "out"
    out.mkdir()
    (out / "rows").write_text("old")
    interrupted(monkeypatch, moment, error)
    with pytest.raises(error), files.replaced_folder(out) as folder:
        (folder / "rows").write_text("new")
    assert (out / "rows").read_text() == left
    assert list(tmp_path.iterdir()) == [out]


WRITER = """
import os, signal, sys, time
from pathlib import Path
from finetune.core import files

out = Path(sys.argv[1])
with files.replaced_folder(out) as folder:
    files.write_text(folder / "rows", "new")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_what_a_kill_left_is_swept_and_what_is_alive_is_not(tmp_path):
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(out)], stdout=subprocess.PIPE, text=True
    ) as process:
        left = Path(process.stdout.readline().strip())
        assert left.is_dir()
        with files.replaced_folder(out) as folder:
            (folder / "rows").write_text("ours")
        assert left.is_dir()  # its writer lives
        process.send_signal(signal.SIGKILL)
    assert left.is_dir()
    files.write_text(tmp_path / "other", "x")
    assert left.is_dir()  # of another name
    with files.replaced_folder(out) as folder:
        (folder / "rows").write_text("ours again")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other", "out"]
    assert (out / "rows").read_text() == "ours again"


def test_a_folder_that_a_kill_left_aside_comes_back(tmp_path):
    aside = tmp_path / ".out.abc123_x.old.partial"
    aside.mkdir()
    (aside / "rows").write_text("old")

    def stop():
        with files.replaced_folder(tmp_path / "out"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop()
    assert (tmp_path / "out/rows").read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_file_that_a_kill_left_is_swept_by_the_next_write(tmp_path):
    left = tmp_path / ".file.json.abc123_x.partial"
    others = [tmp_path / name for name in (".file.json.bak", ".file.jsonl.a.partial", "x.partial")]
    for file in (left, *others):
        file.write_text("half")
    files.write_text(tmp_path / "file.json", "{}")
    assert not left.exists()
    assert all(file.exists() for file in others)


def test_a_sweep_at_the_moment_of_making_is_survived(tmp_path, monkeypatch):
    """Another process takes the new folder for a leftover, before it is locked."""
    made, make = [], files._made

    def swept_once(path: Path, is_folder: bool) -> Path:
        made.append(make(path, is_folder))
        if len(made) == 1:
            files._remove(made[0])
        return made[-1]

    monkeypatch.setattr(files, "_made", swept_once)
    with files.replaced_folder(tmp_path / "out") as folder:
        (folder / "rows").write_text("new")
    assert len(made) == 2
    assert (tmp_path / "out/rows").read_text() == "new"


def test_without_locks_of_the_file_system_nothing_is_swept_and_all_is_written(
    tmp_path, monkeypatch
):
    def no_locks(*_: int) -> None:
        raise OSError(errno.ENOTSUP, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    (tmp_path / ".file.abc.partial").write_text("half")
    files.write_text(tmp_path / "file", "whole")
    with files.replaced_folder(tmp_path / "out") as folder:
        (folder / "rows").write_text("new")
    assert (tmp_path / "file").read_text() == "whole"
    assert (tmp_path / ".file.abc.partial").exists()
    assert (tmp_path / "out/rows").exists()


def test_permissions_are_those_of_the_umask(tmp_path):
    old = os.umask(0o077)
    try:
        files.write_text(tmp_path / "file", "x")
        with files.replaced_folder(tmp_path / "out"):
            pass
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_a_full_disk_is_told_with_the_files_name(tmp_path):
    """A limit on the size of files fails in write(), as a full disk does: without a name."""
    code = """
import resource, sys
from pathlib import Path
from finetune.core import files
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    files.write_text(Path(sys.argv[1]), "x" * 5000)
except OSError as error:
    print(error.filename)
"""
    file = tmp_path / "file"
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(file)
    assert list(tmp_path.iterdir()) == []


CONFLICT = '{"a": 1,\n<<<<<<< HEAD\n"b": 2}\n=======\n"b": 3}\n>>>>>>> other\n'


@pytest.mark.parametrize(
    ("read", "data", "said"),
    [
        (files.read_json, b'{"a": 1,\n"b": }', "line 2: no JSON (Expecting value)"),
        (files.read_json, b"", "line 1: no JSON (Expecting value)"),
        (files.read_json, b"[" * 100_000, "line 1: no JSON (maximum recursion depth"),
        (files.read_json, b"9" * 5000, "line 1: no JSON (Exceeds the limit"),
        (files.read_json, b'{"a": "\xff"}', "not UTF-8 (byte 7: 0xff)"),
        (files.read_json, CONFLICT.encode(), "line 2: a conflict of Git (<<<<<<< HEAD)"),
        (files.read_jsonl, b'{"a": 1}\n{"a": \n', "line 2: no JSON (Expecting value)"),
        (files.read_jsonl, b'{"a": 1}\n{"a": "\xff"}\n', "not UTF-8"),
        (files.read_jsonl, b"{}\n<<<<<<< HEAD\n{}\n", "line 2: a conflict of Git"),
        (files.read_tsv, b"a\tb\n<<<<<<< HEAD\n1\t2\n", "line 2: a conflict of Git"),
        (files.read_tsv, b"a\tb\n\xff\t2\n", "not UTF-8"),
    ],
)
def test_a_damaged_file_is_one_line_with_its_place(tmp_path, read, data, said):
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(FileError) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}: {said}")
    assert "\n" not in str(caught.value)


def test_text_that_speaks_of_a_conflict_is_none(tmp_path):
    files.write_jsonl(tmp_path / "rows", [{"text": "so:\n<<<<<<< HEAD\n"}])
    assert len(files.read_jsonl(tmp_path / "rows")) == 1
