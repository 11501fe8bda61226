import json
import pickle

import numpy as np
import pytest

from finetune.core.errors import FileError
from finetune.core.schema import NearDuplicates
from finetune.data import batches as module
from finetune.data.batches import CleanBatch, RawBatch, RowWork, batches

NEAR = NearDuplicates(threshold=0.8, shingle_words=3, permutations=128, bands=32)


def raw(number: int) -> dict:
    summary = None if number % 10 == 3 else " x "
    dialogue = f"A: {number % 40} \u2028\r\nB: é" if number else 7
    return {"place": f"row {number}", "id": f"{number}", "dialogue": dialogue, "summary": summary}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "train.jsonl"
    lines = [json.dumps(raw(n), ensure_ascii=n % 2 == 0) for n in range(100)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    return path


def work(near: NearDuplicates = NEAR) -> RowWork:
    return RowWork("summarization", None, None, "samsum/train.json", near, 7, False, ("US",))


def cleaned(path, monkeypatch, size: int) -> list[CleanBatch]:
    monkeypatch.setattr(module, "BATCH", size)
    return [work()(batch) for batch in batches(path)]


def test_a_file_is_its_batches_of_whole_lines(file, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 500)
    made = list(batches(file))
    assert len(made) > 5
    assert b"".join(batch.lines for batch in made) == file.read_bytes()
    assert all(batch.lines.endswith(b"\n") for batch in made)
    for batch in made:
        assert json.loads(batch.lines.split(b"\n")[0])["id"] == f"{batch.first_line - 1}"


def test_an_empty_file_has_no_batches(tmp_path):
    (tmp_path / "a.jsonl").write_text("")
    assert list(batches(tmp_path / "a.jsonl")) == []


def test_rows_are_the_same_in_batches_of_any_size(file, monkeypatch):
    (whole,) = cleaned(file, monkeypatch, 10**6)
    parts = cleaned(file, monkeypatch, 300)
    assert b"".join(part.lines for part in parts) == whole.lines
    assert (np.concatenate([part.columns for part in parts]) == whole.columns).all()
    bands = np.concatenate([part.signatures.bands for part in parts])
    assert (bands == whole.signatures.bands).all()
    assert [bad for part in parts for bad in part.bad] == whole.bad
    assert len(np.concatenate([part.raw_inputs for part in parts])) == 99  # one is a number
    counts = sum((part.counts for part in parts), start=type(whole.counts)())
    assert counts == whole.counts
    assert counts["rows"] == 100
    assert len(whole.bad) == 11
    assert sum(part.size for part in parts) == file.stat().st_size


def test_lines_are_rows_as_they_are_kept(file, monkeypatch):
    (whole,) = cleaned(file, monkeypatch, 10**6)
    first = json.loads(whole.lines.split(b"\n")[0])
    assert first == {"id": "1", "dialogue": "A: 1\nB: é", "summary": "x"}


def test_without_a_threshold_there_are_no_signatures():
    near = NEAR.model_copy(update={"threshold": None})
    line = json.dumps(raw(1)).encode() + b"\n"
    assert work(near)(RawBatch(None, 1, line)).signatures is None


def test_a_damaged_line_is_told_by_its_number(file, monkeypatch):
    lines = file.read_bytes().split(b"\n")
    lines[70] = b"{broken"
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(FileError, match=r"train\.jsonl: line 71: no JSON"):
        cleaned(file, monkeypatch, 300)


def test_work_and_batches_can_be_sent_to_another_process(file):
    (batch,) = batches(file)
    there = pickle.loads(pickle.dumps(work()))
    assert there(pickle.loads(pickle.dumps(batch))).lines == work()(batch).lines
