"""`metrics/TASK/forms.json`: what stays on record, and the table of it."""

import pytest

from finetune.core.errors import DataError
from finetune.core.files import write_json
from finetune.forms import records
from finetune.forms.entries import Entry
from finetune.scoring.metrics import Metric

ERROR = Metric(key="mae", columns=("error",), title="error", unit="USD", higher_is_better=False)


def entry(adapter: str, rows: int = 4, **more: object) -> Entry:
    run = {"size_mb": 12.34, "load_seconds": 0.5, "tokens_per_second": 1234.5}
    scores = {"mae": 3.0, "interval": {"mae": {"low": 2.0, "high": 4.0}}}
    difference = {"mae": {"mean": 0.25, "low": -0.5, "high": 1.0, "n": rows}}
    about = {"difference": difference, "differing": 1, "adapter_hash": adapter}
    return {**scores, "n": rows, **about, "run": run, **more}


def test_forms_of_the_same_adapter_and_rows_stay(tmp_path):
    records.add(tmp_path, "price", {"tuned": entry("a"), "merged": entry("a")})
    kept = records.add(tmp_path, "price", {"tuned": entry("a"), "int8": entry("a")})
    assert list(kept) == ["tuned", "merged", "int8"]
    assert records.read(tmp_path, "price") == kept


@pytest.mark.parametrize("other", [{"adapter": "b"}, {"adapter": "a", "rows": 9}])
def test_forms_of_another_adapter_or_of_other_rows_do_not(tmp_path, other):
    records.add(tmp_path, "price", {"tuned": entry("a"), "merged": entry("a")})
    assert list(records.add(tmp_path, "price", {"tuned": entry(**other)})) == ["tuned"]


def test_a_file_of_another_shape_is_one_line(tmp_path):
    write_json(tmp_path / records.path("price"), {"samsum": {}})
    with pytest.raises(DataError, match="holds no forms of price"):
        records.read(tmp_path, "price")


def test_the_table_has_size_speed_score_and_difference():
    entries = {"tuned": entry("a"), "merged": entry("a")}
    _, tuned, merged = records.table([ERROR], entries, 0.95, "plain").splitlines()
    assert tuned.split() == ["tuned", "12.3", "0.5", "1,234", "3.00", "[2.00,", "4.00]"]
    assert "+0.250 [−0.500, +1.000]" in merged
    assert merged.endswith("1 of 4 (25\u00a0%)")


def test_a_form_that_gives_no_answers_has_no_difference():
    silent = entry("a", difference={}, no_answer=3)
    del silent["mae"]
    (_, row) = records.table([ERROR], {"int4": silent}, 0.95, "plain").splitlines()
    assert "no answer in 3 of 4 rows" in row
    assert "–" in row


def test_of_another_adapter_than_the_metrics_is_told(tmp_path):
    assert records.stale(tmp_path, "price") == ""
    records.add(tmp_path, "price", {"tuned": entry("a"), "served": entry("a")})
    train = tmp_path / "metrics/price/train.json"
    write_json(train, {"price": {"train": {"adapter_hash": "a"}}})
    assert records.stale(tmp_path, "price") == ""
    write_json(train, {"price": {"train": {"model_hash": "b"}}})
    assert "tuned (a), served (a): of another adapter than" in records.stale(tmp_path, "price")
    assert "(b)" in records.stale(tmp_path, "price")


def test_a_form_of_no_file_has_no_size():
    (_, row) = records.table([ERROR], {"served": entry("a", run={})}, 0.95, "plain").splitlines()
    assert row.split()[:2] == ["served", "3.00"]
