import subprocess
import sys
from pathlib import Path

import pytest

from finetune.core import params
from finetune.core.files import write_json
from finetune.stages import report

ROOT = Path(__file__).parents[2]


@pytest.fixture
def declared() -> params.Declared:
    """What the stage may read."""
    sections = [
        "tasks", "data", "model", "method", "lora", "train", "bootstrap", "report",
    ]  # fmt: skip
    return params.Declared(params.read(ROOT / "params.yaml"), "report", sections, None)


def test_a_page_and_tables_are_written_in_place_of_the_old(declared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports/plots/gone").mkdir(parents=True)
    scores = {"mae": 3.0, "n": 2, "interval": {"mae": {"low": 2.0, "high": 4.0}}}
    write_json(tmp_path / "metrics/price/ladder.json", {"price": {"ladder": {"mean": scores}}})
    report.run(declared)
    html = (tmp_path / "reports/index.html").read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "3.00 [2.00,\N{NO-BREAK SPACE}4.00]" in html
    assert (
        (tmp_path / "reports/plots/price/ladder.tsv").read_text().endswith("mean\t3.0\t2.0\t4.0\n")
    )
    assert not (tmp_path / "reports/plots/gone").exists()


def test_it_waits_for_no_library_of_models():
    code = "import sys, finetune.stages.report; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
