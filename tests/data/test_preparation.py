"""What `prepare` makes of files of raw rows; tests/stages/test_fetch_prepare.py has the rules."""

import hashlib
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from finetune.core import paths
from finetune.core.errors import DataError
from finetune.core.schema import NearDuplicates
from finetune.data import batches, preparation, workers
from finetune.data.preparation import FIRST_BAD, Prepared, Rules, Source

NEAR = NearDuplicates(threshold=0.8, shingle_words=3, permutations=128, bands=32)
RULES = Rules(0.5, NEAR, test_fraction=0.2, validation_fraction=0.1, seed=7)


def raw(number: int, split: str) -> dict:
    """Rows of which some are bad, or repeat another one, or are nearly the same."""
    words = " ".join(f"word{number // 4}-{n}" for n in range(40))
    dialogue = f"A: {words}\r\nB: {'Yes' if number % 4 == 1 else 'No'}"
    summary = None if number % 50 == 7 else f"Answer {number // 4}."
    return {"place": f"row {number}", "id": f"{split}-{number}", "dialogue": dialogue,
            "summary": summary}  # fmt: skip


def source(folder: Path, **sizes: int) -> Source:
    files = {}
    for split, size in sizes.items():
        files[split] = folder / f"{split}.jsonl"
        lines = [json.dumps(raw(n, split)) for n in range(size)]
        files[split].write_text("".join(f"{line}\n" for line in lines))
    names = {split: f"samsum/{split}.json" for split in sizes}
    return Source("samsum", "summarization", None, files, names)


def prepared(made: Source, folder: Path, processes: int = 1, engine: str = "builtin") -> Prepared:
    folder.mkdir()
    return preparation.prepare(made, RULES, folder, processes, engine)


def summary(result: Prepared, folder: Path) -> dict:
    """All that a preparation gives."""
    for split in paths.SPLITS:
        result.splits[split].write(folder / f"{split}.jsonl")
    return {
        "counts": {name: list(split.counts.items()) for name, split in result.splits.items()},
        "pairs": result.near.pairs,
        "clusters": result.cluster_ids(),
        "files": {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(folder.iterdir())
        },
    }


def test_the_size_of_batches_and_the_number_of_processes_change_nothing(tmp_path, monkeypatch):
    made = source(tmp_path, train=400, test=60)
    whole = summary(prepared(made, tmp_path / "whole"), tmp_path / "whole")
    assert whole["pairs"]
    assert whole["clusters"]["test"]
    monkeypatch.setattr(batches, "BATCH", 5000)
    monkeypatch.setattr(workers, "FEW", 2)
    for processes in (1, 2):
        folder = tmp_path / f"{processes}"
        assert summary(prepared(made, folder, processes), folder) == whole


@pytest.mark.skipif(not find_spec("ray"), reason="needs ray (requirements-ray.txt)")
def test_ray_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    made = source(tmp_path, train=400, test=60)
    whole = summary(prepared(made, tmp_path / "whole"), tmp_path / "whole")
    monkeypatch.setattr(batches, "BATCH", 5000)
    monkeypatch.setattr(workers, "FEW", 2)
    assert summary(prepared(made, tmp_path / "ray", 2, "ray"), tmp_path / "ray") == whole


def test_of_the_rows_set_aside_all_are_written_and_the_first_ones_are_at_hand(tmp_path):
    result = prepared(source(tmp_path, train=600, test=60), tmp_path / "new")
    assert [row["place"] for row in result.splits["train"].bad] == [
        f"row {number}" for number in (7, 57, 107, 157, 207)
    ]
    assert len(result.splits["train"].bad) == FIRST_BAD
    assert result.splits["train"].counts["set_aside"] == 12
    lines = (tmp_path / "new" / preparation.SET_ASIDE).read_text().splitlines()
    assert [json.loads(line)["file"] for line in lines] == [
        *["samsum/train.json"] * 12, *["samsum/test.json"] * 2
    ]  # fmt: skip


def test_what_repeats_is_counted_as_it_came(tmp_path):
    result = prepared(source(tmp_path, train=40, test=8), tmp_path / "new")
    # Of four rows three are the same; one more of them has no summary, and counts here.
    assert result.splits["train"].counts["found_repeated_inputs"] == 20


def test_an_empty_file_is_counted_as_one(tmp_path):
    made = source(tmp_path, train=20, test=0)
    result = prepared(made, tmp_path / "new")
    assert result.splits["test"].counts == {
        "rows": 0, "found_repeated_inputs": 0, "set_aside": 0,
        "found_near_duplicates": 0, "near_duplicate_clusters": 0,
    }  # fmt: skip
    with pytest.raises(DataError, match="no rows are left in test"):
        preparation.check_rows("samsum", result.splits)


def test_files_without_rows_are_told(tmp_path):
    result = prepared(source(tmp_path, train=0, validation=0, test=0), tmp_path / "new")
    with pytest.raises(DataError, match="no rows are left in train"):
        preparation.check_rows("samsum", result.splits)


def test_the_files_of_the_work_are_removed(tmp_path):
    prepared(source(tmp_path, train=20, test=8), tmp_path / "new")
    assert len(list((tmp_path / "new").glob("*.clean.jsonl"))) == 2
    preparation.remove_work(tmp_path / "new")
    assert [file.name for file in (tmp_path / "new").iterdir()] == [preparation.SET_ASIDE]
