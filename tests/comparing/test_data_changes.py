"""Two runs that differ in their data alone, and in which rows."""

import dataclasses
import json

import pytest

from finetune.comparing import data_changes
from finetune.comparing.runs import Run
from finetune.core.errors import UserError

SAME = {f"{n}": f"Lamp {n}" for n in range(20)}


@pytest.fixture
def made(run):
    """Makes a run of prices with these training rows; without them, of files in no cache."""

    def of(
        name: str,
        rows: dict[str, str] | None,
        code: str = "c",
        kept: int | None = 20,
        **params: object,
    ) -> Run:
        files = {}
        if rows is not None:
            for split, each in (("train", rows), ("validation", SAME), ("test", SAME)):
                lines = [json.dumps({"id": key, "text": text}) for key, text in each.items()]
                files[f"data/prepared/price/{split}.jsonl"] = "\n".join(lines) + "\n"
        if kept is not None:
            counts = {split: {"kept": 20} for split in ("validation", "test")}
            data = {"price": {"data": {**counts, "train": {"kept": kept}}}}
            files["metrics/price/data.json"] = json.dumps(data)

        def text(path: str) -> str:
            if path not in files:
                raise UserError(f"{path}: in no cache here")
            return files[path]

        made_of = "one" if rows == SAME else "other"
        deps = {
            (stage, path, md5)
            for stage in ("train@price", "predict@price")
            for path, md5 in (("data/prepared/price", made_of), ("src/x.py", code))
        }
        made = run(name, [1.0, 2.0], **params)
        return dataclasses.replace(made, code=frozenset(deps), text=text)

    return of


def said(before: Run, after: Run) -> list[str]:
    return data_changes.lines(before, after, data_changes.between(before, after))


def test_rows_that_were_added_taken_out_and_rewritten_are_named(made):
    rows = {key: text for key, text in SAME.items() if key != "3"} | {"new": "Chair", "7": "Sofa"}
    before, after = made("main", SAME), made("mine", rows)
    assert said(before, after) == [
        "main and mine differ in the data of price alone: code, model and other parameters are the "
        "same.",
        "  train: 20 and 20 rows: 1 only in main (3), 1 only in mine (new), 1 with other content "
        "(7)",
    ]
    (change,) = data_changes.as_json(data_changes.between(before, after))
    assert change == {
        "task": "price",
        "params": [],
        "splits": {
            "train": {
                "rows": [20, 20],
                "only_before": {"count": 1, "ids": ["3"]},
                "only_after": {"count": 1, "ids": ["new"]},
                "changed": {"count": 1, "ids": ["7"]},
            }
        },
    }


def test_of_many_rows_the_first_ten_are_named(made):
    _, line = said(made("main", SAME), made("mine", {}))
    assert line == ("  train: 20 and 0 rows: 20 only in main (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …)")


def test_without_the_files_the_metrics_still_say_how_many(made):
    lines = said(made("main", SAME), made("mine", None, kept=15))
    assert lines[1] == (
        "  train: 20 and 15 rows; which ones differ is not known here: their files are in no cache"
    )
    lines = said(made("main", SAME, kept=None), made("mine", None, kept=None))
    assert lines[1].startswith("  train: ? and ? rows; which ones")


@pytest.mark.parametrize(
    "other",
    [
        {"code": "d"},
        {"lora.r": 8},
        {"tasks.price.train.learning_rate": 0.1},
    ],
)
def test_where_more_differs_it_is_not_the_data_alone(made, other):
    assert said(made("main", SAME), made("mine", {}, **other)) == []


def test_a_parameter_of_data_is_named_and_a_seed_or_another_task_is_no_difference(made):
    other = {"data.limit.train": 5, "train.seed": 2, "tasks.samsum.prompt.cue": "x"}
    (first, *_) = said(made("main", SAME), made("mine", {}, **other))
    assert first.startswith("main and mine differ in the data of price alone (data.limit.train): c")


def test_runs_of_the_same_data_differ_in_none(made):
    assert said(made("main", SAME), made("mine", SAME)) == []


def test_a_run_whose_lock_says_nothing_of_code_is_compared_with_none(made):
    bare = dataclasses.replace(made("main", SAME), code=frozenset())
    assert said(bare, made("mine", {})) == []
