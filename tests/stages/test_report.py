import subprocess
import sys
from pathlib import Path

import pytest

from finetune.core import params
from finetune.core.files import write_json
from finetune.stages import report
from finetune.tasks import registry

ROOT = Path(__file__).parents[2]


@pytest.fixture
def declared() -> params.Declared:
    """What the stage may read."""
    keys = params.declared_keys(ROOT / "dvc.yaml", "report", None)
    return params.Declared(params.read(ROOT / "params.yaml"), "report", keys, None)


def test_a_page_is_written_of_whatever_is_there(declared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scores = {"mae": 3.0, "n": 2, "interval": {"mae": {"low": 2.0, "high": 4.0}}}
    write_json(
        tmp_path / "metrics/price/baselines.json", {"price": {"baselines": {"mean": scores}}}
    )
    report.run(declared)
    html = (tmp_path / "reports/index.html").read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "3.00 [2.00,\N{NO-BREAK SPACE}4.00]" in html


@pytest.mark.parametrize("name", registry.names())
def test_every_kind_says_what_its_scores_mean(name):
    kind = report.kind(name)
    assert kind.report.description
    assert all(metric.title and metric.meaning for metric in kind.metrics)
    assert all(flag.meaning for flag in kind.flags)
    assert all(baseline.description for baseline in kind.baselines)
    assert any(metric.in_readme for metric in kind.metrics)


def test_the_report_knows_no_kind():
    for file in (ROOT / "src/finetune/reporting").iterdir():
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            assert "finetune.tasks" not in text, file
            assert not any(f'"{name}"' in text for name in registry.names()), file


def test_it_waits_for_no_library_of_models():
    code = "import sys, finetune.stages.report; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
