import json

import numpy as np
import pytest

from finetune.core.files import read_jsonl, write_jsonl
from finetune.data.split import HASH, Split, StoredRows, columns, draw, text_hash
from finetune.tasks.summarization.rows import Row


def row(number: int, dialogue: str = "A: Hi.", summary: str = "x") -> Row:
    return Row(id=f"{number}", dialogue=dialogue, summary=summary)


@pytest.fixture
def split(tmp_path) -> Split:
    """Ten rows in a file."""
    file = tmp_path / "clean.jsonl"
    rows = [row(n, f"A: \u2028 é {n}") for n in range(10)]
    write_jsonl(file, (each.model_dump() for each in rows))
    return Split(StoredRows(file, lambda values: Row(**values)), columns(rows), np.arange(10))


def test_rows_with_the_same_text_have_the_same_hash_and_others_another():
    one, same, answer, text, number = columns([
        row(1, "a", "bc"), row(2, "a", "bc"), row(3, "a", "b"), row(4, "ab", "c"), row(1, "z", "z")
    ])  # fmt: skip
    assert one["input"] == same["input"] == answer["input"] != text["input"]
    assert one["same"] == same["same"]
    assert len({one["same"], answer["same"], text["same"]}) == 3
    assert one["id"] == number["id"] != same["id"]


def test_a_hash_may_end_with_zeros():
    # NumPy drops them where a value leaves the array; within it values compare as they are.
    hashes = np.array([b"\1" * 15 + b"\0", b"\1" * 15 + b"\2", b"\1" * 15 + b"\0"], HASH)
    assert len(np.unique(hashes)) == 2
    assert len(text_hash("\ud83d")) == 16


@pytest.mark.parametrize(
    ("dialogue", "summary", "is_empty"), [("a", "b", False), (" \n", "b", True), ("a", "", True)]
)
def test_a_row_without_input_or_target_is_empty(dialogue, summary, is_empty):
    assert columns([row(1, dialogue, summary)])["is_empty"].tolist() == [is_empty]


def test_an_answer_that_stands_in_the_input_is_known():
    rows = [row(1, "A: Hi there.", "hi there"), row(2, "A: Hi there.", "bye")]
    assert columns(rows)["answer_in_input"].tolist() == [True, False]


def test_draws_are_of_text_and_seed():
    assert columns([row(1, "a")], seed=3)["draw"].tolist() == [draw("a", 3)]
    assert draw("a", 3) != draw("a", 4)
    assert 0 <= draw("a", 3) < 1


def test_rows_are_those_that_were_kept(split):
    before = split.rows
    assert split.keep(np.arange(10) % 3 != 0) == 4
    assert [each.id for each in split.rows] == ["1", "2", "4", "5", "7", "8"]
    assert split.rows[-1].id == "8"
    assert [each.id for each in split.rows[1:3]] == ["2", "4"]
    assert len(before) == 10
    assert split.keep(split.column("id") == text_hash("4")) == 5
    assert [each.id for each in split.rows] == ["4"]


def test_rows_are_written_as_they_stand_in_the_file(split, tmp_path):
    split.keep(np.arange(10) % 2 == 1)
    split.write(tmp_path / "kept.jsonl")
    lines = (tmp_path / "clean.jsonl").read_bytes().split(b"\n")
    assert (tmp_path / "kept.jsonl").read_bytes().split(b"\n") == [*lines[1:10:2], b""]


def test_a_split_in_memory_is_written_likewise(tmp_path):
    split = Split.of([row(n) for n in range(3)])
    split.keep(np.array([True, False, True]))
    split.write(tmp_path / "kept.jsonl")
    assert [each["id"] for each in read_jsonl(tmp_path / "kept.jsonl")] == ["0", "2"]


def test_a_part_shares_the_stored_rows_and_no_counts(split):
    split.counts["rows"] = 10
    part = split.part(np.array([2, 5]))
    assert [each.id for each in part.rows] == ["2", "5"]
    assert part.counts == {}
    assert json.loads(part.rows[0].model_dump_json())["id"] == "2"
