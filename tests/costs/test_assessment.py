"""What a person gets to see: sentences, tables and the page, from metric files."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from finetune.core.errors import ParamsError
from finetune.core.files import write_json, write_jsonl
from finetune.costs import assessment, command, offers, page, shown
from finetune.costs.assessment import assess
from finetune.costs.offers import Offer

ROOT = Path(__file__).parents[2]
ENDS = {"rouge1": {"low": 49.0, "high": 51.0}}
METRICS = {
    "train": {"train": {
        "prompt_tokens_mean": 90.0, "completion_tokens_mean": 10.0, "adapter_hash": "abc",
        "run": {"minutes": 60.0, "device": "a GPU"},
    }},
    "tuned": {"rouge1": 50.0, "interval": ENDS, "n": 200, "validation": {"n": 100}},
    "base": {"base": {"rouge1": 20.0, "interval": {"rouge1": {"low": 19.0, "high": 21.0}}}},
}  # fmt: skip


@pytest.fixture
def root(tmp_path) -> Path:
    """A repository with a task of which everything was measured."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    del values["tasks"]["price"]
    values["run"]["usd_per_hour"] = 2.0
    values["run"]["costs"]["usd_per_hour"] = {"date": "2026-11-01", "source": "an <invoice>"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for name, metrics in METRICS.items():
        write_json(tmp_path / f"metrics/samsum/{name}.json", {"samsum": metrics})
    record = {"adapter_hash": "abc", "n": 200, "rouge1": 49.0, "interval": ENDS,
              "difference": {"rouge1": {"mean": -1.0, "low": -2.0, "high": 0.0}}}  # fmt: skip
    entries = {
        "tuned": {**record, "run": {"requests_per_second": 100.0}},
        "int8": {**record, "run": {"requests_per_second": 200.0}},
    }
    write_json(tmp_path / "metrics/samsum/forms.json", {"samsum": {"forms": entries}})
    row = {"id": "1", "dialogue": "Anna: Hello <b>you</b> " * 20, "summary": "She greets."}
    write_jsonl(tmp_path / "data/prepared/samsum/test.jsonl", [row])
    return tmp_path


def test_costs_are_measured_speed_times_the_price_of_the_machine(root):
    (task,) = assess(root).tasks
    answers = {row[0]: row[1:] for row in shown.answers(task).rows}
    # 0.01 s a request, 2 USD an hour, of which 0.3 are used
    assert answers["tuned"] == ["0.0185", "50.00 [49.00, 51.00]", ""]
    assert answers["int8"] == ["0.00926", "49.00 [49.00, 51.00]", "−1.00 [−2.00, 0.00]"]
    assert answers["openai:gpt-4.1-nano"][1:] == ["not measured", ""]
    assert answers["base model"] == ["", "20.00 [19.00, 21.00]", ""]
    assert task.training.usd == pytest.approx(2.0)
    assert not task.remarks


def test_the_break_even_is_said_of_each_form_and_offer(root):
    (task,) = assess(root).tasks
    table = shown.break_even(task)
    assert table.head[1:] == [offer.name for offer in task.offers]
    assert [row[0] for row in table.rows] == [
        "tuned, kept on", "tuned, by the hour", "int8, kept on", "int8, by the hour",
    ]  # fmt: skip
    said = " ".join(shown.sentences(task, 0.95))
    assert "1,000 requests to the tuned model cost 0.0185 USD" in said
    assert "Training costs 2.00 USD (measured: 60 minutes on a GPU)." in said
    assert "4 of 4 hosted models was not measured" in said


def test_without_a_price_of_the_machine_nothing_is_made_up(root):
    (task,) = assess(root, ["run.usd_per_hour=null", "~tasks.price"]).tasks
    assert {row[1] for row in shown.answers(task).rows[:2]} == {"–"}
    assert not shown.break_even(task).rows
    assert "price of the machine: set run.usd_per_hour" in task.remarks
    assert any(remark.startswith("cost of training, which break-even") for remark in task.remarks)


def test_metrics_of_other_parameters_are_not_taken_for_these(root):
    (task,) = assess(root, ["lora.r=64", "~tasks.price"]).tasks
    assert (task.forms, task.metrics) == ([], {})
    assert "metrics/ are of other parameters: nothing is measured" in task.remarks
    # The preset's own rows were never prepared: which ones are counted is said.
    assert "hosted prices are of the 1 test rows in data/prepared/samsum" in "".join(task.remarks)
    assert len(task.offers) == 4


@pytest.mark.parametrize("fits", [True, False])
def test_training_is_planned_for_a_gpu(root, monkeypatch, fits):
    from finetune.planning import plan

    planned = SimpleNamespace(seconds=1800.0, budget=fits or None, advice="a smaller model")
    monkeypatch.setattr(plan, "of", lambda *_: planned)
    (task,) = assess(root, gpu="l4").tasks
    if fits:
        assert task.training.usd == pytest.approx(1.0)
        assert task.training.how.startswith("planned: 30 minutes on L4, by 30 % of a peak of 121")
    else:
        assert task.training.usd is None
        assert task.training.how == "does not fit on L4: use a smaller model"


def test_the_page_shows_all_of_it_and_escapes_texts(root):
    html = page.html(assess(root))
    assert "an &lt;invoice&gt;" in html
    assert "<invoice>" not in html
    for text in (
        "What does it cost?",
        "0.00926",
        "genai-prices",
        "run.costs.utilization.value",
        "<svg",
    ):
        assert text in html
    assert "http" not in re.sub(r"<!--.*?-->", "", html).replace("http-equiv", "")


def test_the_command_prints_and_writes_it(root, capsys):
    assert command.run(root, [], None, None, root / "page.html", "simple") == 0
    said = capsys.readouterr().out
    assert "tuned, kept on" in said
    assert "an <invoice>" in said
    assert (root / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(("rows", "said"), [(20, True), (200, False)])
def test_scores_on_other_rows_than_the_tuned_models_are_told(root, monkeypatch, rows, said):
    scores = {**METRICS["base"]["base"], "n": rows}
    offer = Offer("gpt-x", 0.001, "a run", scores)
    monkeypatch.setattr(offers, "of_run", lambda *_: [offer])
    monkeypatch.setattr(assessment.sources, "revision", lambda *_: None)
    (task,) = assess(root, hosted="asked").tasks
    line = "gpt-x on the same rows: its scores are of 20 test rows, the tuned model's of 200"
    assert (line in task.remarks) == said
    (row,) = [row for row in shown.answers(task).rows if row[0] == "gpt-x"]
    assert row[1:3] == ["1.00", "20.00 [19.00, 21.00]"]


def test_parameters_without_assumptions_are_one_line(root):
    values = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    del values["run"]["costs"]
    (root / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"has no run\.costs"):
        assess(root)


@pytest.mark.parametrize(
    ("value", "shows"),
    [(0, "0"), (0.0024123, "0.00241"), (3.14159, "3.14"), (1250.4, "1,250"), (None, "–")],
)
def test_sums_have_three_digits(value, shows):
    assert shown.usd(value) == shows


@pytest.mark.parametrize(
    ("value", "shows"),
    [
        (None, "never"),
        (0, "0"),
        (7.2, "8"),
        (12_345, "12,300"),
        (2_750_000, "2.75 million"),
        (999_600, "1 million"),
        (999_600_000, "1 billion"),
        (1.234e13, "12,300 billion"),
    ],
)
def test_requests_are_rounded_as_people_say_them(value, shows):
    assert shown.requests(value) == shows
