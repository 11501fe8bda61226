import itertools

import numpy as np
import pytest

from finetune.core.errors import DataError
from finetune.data.split import Split, columns
from finetune.data.splitting import limit, split_all, split_off_validation
from finetune.tasks.summarization.rows import Row


def train(count: int) -> dict[str, Split]:
    rows = [Row(id=str(n), dialogue="x", summary="x") for n in range(count)]
    return {"train": Split.of(rows)}


def ids(split: Split) -> list[int]:
    return [int(row.id) for row in split.rows]


def split_off(count: int, share: float, seed: int = 7) -> tuple[list[int], list[int]]:
    splits = train(count)
    split_off_validation(splits, share, seed)
    return ids(splits["train"]), ids(splits["validation"])


def test_a_share_of_train_moves_to_validation_and_no_row_is_lost():
    kept, moved = split_off(200, 0.05)
    assert len(moved) == 10
    assert not set(kept) & set(moved)
    assert sorted(kept + moved) == list(range(200))
    assert (kept, moved) == (sorted(kept), sorted(moved))


def test_the_seed_alone_decides_which_rows_move():
    assert split_off(200, 0.05) == split_off(200, 0.05)
    assert split_off(200, 0.05) != split_off(200, 0.05, seed=8)


def test_what_moved_is_counted_on_both_sides():
    splits = train(40)
    split_off_validation(splits, 0.1, 7)
    assert splits["train"].counts == {"moved_to_validation": 4}
    assert splits["validation"].counts == {"moved_from_train": 4}


@pytest.mark.parametrize(("count", "share", "moved"), [(2, 0.01, 1), (10, 0.25, 2), (3, 0.4, 1)])
def test_at_least_one_row_moves(count, share, moved):
    assert len(split_off(count, share)[1]) == moved


@pytest.mark.parametrize("count", [0, 1])
def test_train_must_keep_a_row(count):
    with pytest.raises(DataError, match=f"train has {count} rows, too few"):
        split_off(count, 0.4)


def drawn(texts, seed: int = 7, test: float = 0.2, validation: float = 0.1) -> dict[str, set]:
    rows = [Row(id=str(n), dialogue=text, summary="") for n, text in enumerate(texts)]
    everything = Split(rows, columns(rows, seed), np.arange(len(rows)))
    splits = split_all(everything, test, validation)
    assert [split.counts["drawn_from_all"] for split in splits.values()] == [
        len(split) for split in splits.values()
    ]
    return {name: {row.dialogue for row in split.rows} for name, split in splits.items()}


def test_three_splits_are_drawn_from_one_in_their_shares():
    splits = drawn(map(str, range(5000)))
    assert {name: len(texts) / 5000 for name, texts in splits.items()} == pytest.approx(
        {"train": 0.72, "validation": 0.08, "test": 0.2}, abs=0.02
    )
    assert len(set.union(*splits.values())) == 5000


def test_rows_of_one_input_are_never_drawn_into_two_splits():
    train, validation, test = drawn(str(n % 100) for n in range(1000)).values()
    assert len(train) + len(validation) + len(test) == len(train | validation | test) == 100


def test_a_row_that_is_added_moves_no_other():
    few, more = drawn(map(str, range(500))), drawn(map(str, range(1000)))
    assert all(few[name] <= more[name] for name in few)
    assert few != drawn(map(str, range(500)), seed=8)


def limited(count: int, rows: int | None, seed: int = 7) -> list[int]:
    split = train(count)["train"]
    limit(split, rows, seed)
    return ids(split)


def test_a_limit_keeps_so_many_rows_in_their_order():
    kept = limited(100, 10)
    assert len(set(kept)) == 10
    assert kept == sorted(kept)
    assert kept != list(range(10))


def test_a_smaller_limit_is_a_part_of_a_larger_one():
    sizes = [limited(100, rows) for rows in (1, 5, 20, 99)]
    for smaller, larger in itertools.pairwise(sizes):
        assert set(smaller) < set(larger)


def test_the_seed_decides_which_rows_stay():
    assert limited(100, 10) == limited(100, 10)
    assert limited(100, 10) != limited(100, 10, seed=8)


@pytest.mark.parametrize("rows", [None, 100, 101])
def test_no_limit_or_a_wide_one_keeps_all(rows):
    assert limited(100, rows) == list(range(100))


def test_what_a_limit_leaves_out_is_counted():
    split = train(100)["train"]
    limit(split, 30, 7)
    assert split.counts == {"left_out_by_limit": 70}
    limit(split, 30, 7)
    assert split.counts == {"left_out_by_limit": 70}
