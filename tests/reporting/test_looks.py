from finetune.reporting import looks

LOOK = {
    "task": "price",
    "rows": "abc",
    "score": "mae",
    "before": {"runs": ["main", "main-seed2"], "predictions": ["1", "2"]},
    "after": {"runs": ["r64"], "predictions": ["3"]},
    "difference": -1.234,
    "p": 0.0312,
}


def test_no_look_is_said_so():
    assert looks.sentence([]).startswith("No comparison of configurations has read test rows yet")
    assert looks.table([]).rows == []


def test_looks_are_counted_and_listed():
    assert "compared by test rows once (metrics/looks.json)" in looks.sentence([LOOK])
    assert "compared by test rows 2 times" in looks.sentence([LOOK, LOOK])
    (row,) = looks.table([LOOK]).rows
    assert row == ["main (2 seeds) → r64", "price", "mae", "−1.23", "0.031"]
