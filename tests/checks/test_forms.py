"""Forms on record are those of the metrics' adapters."""

import shutil
from pathlib import Path

from finetune.checks import forms
from finetune.core.files import write_json
from finetune.forms import entries, records

ROOT = Path(__file__).parents[2]


def test_forms_of_another_adapter_and_damaged_files_are_named(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    for task in ("samsum", "price"):
        (tmp_path / records.path(task)).unlink(missing_ok=True)
    assert forms.problems(tmp_path) == []
    trained = entries.trained_hash(tmp_path, "samsum")
    records.add(tmp_path, "samsum", {"served": {"adapter_hash": trained, "n": 2}})
    assert forms.problems(tmp_path) == []
    records.add(tmp_path, "samsum", {"served": {"adapter_hash": "0", "n": 2}})
    write_json(tmp_path / records.path("price"), [])
    samsum, price = forms.problems(tmp_path)
    assert "metrics/samsum/forms.json: served (0): of another adapter" in samsum
    assert "forms.json: holds no forms of price" in price
