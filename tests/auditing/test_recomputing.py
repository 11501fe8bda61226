"""Predictions that a stage computes again, of a stage that doubles a number."""

import os
from pathlib import Path

import pytest

from finetune.auditing import recomputing
from finetune.auditing.checkout import Checkout
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_jsonl, write_jsonl

TASK, ROWS, DRAWS = "sums", 6, 2


class Doubling(Checkout):
    """A checkout whose stage `predict` doubles a number, and adds that of the draw."""

    def run(self, *stage: str) -> None:
        assert stage == ("predict", TASK)
        for split in recomputing.SPLITS:
            rows = read_jsonl(self.root / paths.prepared(TASK) / f"{split}.jsonl")
            predictions = [{"prediction": 2.0 * row["number"]} for row in rows]
            for draw in range(1, DRAWS):
                predictions += [
                    {"prediction": 2.0 * row["number"] + draw, "draw": draw} for row in rows
                ]
            write_jsonl(self.root / paths.predictions(TASK, "tuned", split), predictions)
        general = [{"id": "page-1", "nll": 5.5}]
        write_jsonl(self.root / paths.general(TASK, "tuned"), general)


def checkout(root: Path, decode: str = "greedy") -> Doubling:
    params = {"tasks": {TASK: {"eval": {"decode": decode}}}}
    there = Doubling("NAME", "0" * 40, root, params, (TASK,), ())
    for split in recomputing.SPLITS:
        rows = [{"number": number} for number in range(ROWS)]
        write_jsonl(root / paths.prepared(TASK) / f"{split}.jsonl", rows)
    there.run("predict", TASK)
    return there


@pytest.fixture
def there(tmp_path) -> Doubling:
    """What the stage has run in."""
    return checkout(tmp_path)


def again(there: Doubling, count: int):
    """Validation, test, general text."""
    return recomputing.predictions(there, TASK, 1, lambda _: count, 0.2, 1e-4)


def test_drawn_rows_are_held_against_those_of_their_place(there):
    validation, test, general = again(there, 4)
    for each, split in ((validation, "validation"), (test, "test")):
        assert (each.split, each.total, each.drawn, each.counts.exact) == (split, ROWS, 4, 4)
    assert (general.total, general.counts.exact) == (1, 1)


@pytest.mark.parametrize("draw", range(DRAWS))
def test_an_edit_in_any_draw_is_found_and_named(there, draw):
    file = there.root / paths.predictions(TASK, "tuned")
    rows = read_jsonl(file)
    rows[draw * ROWS + 2]["prediction"] = 40.0
    write_jsonl(file, rows)
    validation, test, _ = again(there, ROWS)
    assert validation.counts.different == ()
    (found,) = test.counts.different
    said = f"sums test row 3: draw {draw} prediction is 40.0, and computed again {4.0 + draw}"
    assert recomputing.described(found) == said


def test_a_huge_number_does_not_hide_that_all_others_were_edited(there):
    file = there.root / paths.predictions(TASK, "tuned")
    rows = read_jsonl(file)
    for row in rows:
        row["prediction"] += 1.0
    rows[0]["prediction"] = 1e12
    write_jsonl(file, rows)
    _, test, _ = again(there, ROWS)
    assert len(test.counts.different) == ROWS


def test_what_is_no_number_in_a_table_stays_a_text():
    texts = ["nan", "inf", "1.5", "a"]
    assert [recomputing._number(text) for text in texts] == ["nan", "inf", 1.5, "a"]


def test_of_a_task_whose_answers_are_sampled_all_rows_are(tmp_path):
    _, test, _ = again(checkout(tmp_path, "sample"), 1)
    assert test.drawn == ROWS


def test_a_cache_that_is_linked_into_the_checkout_is_left_alone(there, tmp_path):
    file = there.root / paths.prepared(TASK) / "test.jsonl"
    cached = tmp_path / "cached"
    os.link(file, cached)
    again(there, 2)
    assert len(read_jsonl(cached)) == ROWS
    assert len(read_jsonl(file)) == 2


@pytest.mark.parametrize("kept", [0, ROWS - 1, ROWS + 1])
def test_other_than_one_prediction_a_row_is_one_line(there, kept):
    file = there.root / paths.predictions(TASK, "tuned")
    write_jsonl(file, read_jsonl(file)[:kept])
    with pytest.raises(UserError, match=r"tuned\.jsonl holds [\d, ]+ predictions of 6 rows"):
        again(there, 2)
