import subprocess
import sys
from pathlib import Path

import pytest

from finetune.checks import kinds as checks
from finetune.core import kinds
from finetune.core.errors import ParamsError
from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt, Task
from finetune.describing.kind_card import KindCard
from finetune.tasks import registry

PROMPT = Prompt(instruction="Answer.", cue="", max_tokens=64, max_completion_tokens=8)
TORCH_FREE = ("fetch", "prepare", "data_card", "baselines", "evaluate", "report")


def test_a_kind_is_a_folder():
    assert {"price", "summarization"} <= set(registry.names())
    assert registry.names() == sorted(registry.names())


def test_an_unknown_kind_is_told_with_the_known_ones():
    with pytest.raises(ParamsError, match=r"kind: is 'prices', must be one of .*price, summariz"):
        registry.rows("prices")


def test_a_kind_that_lacks_a_module_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "options.py").touch()
    monkeypatch.setattr(kinds, "folders", lambda: {"half": tmp_path})
    with pytest.raises(ParamsError, match=r"kind: half has no rows\.py beside its options\.py"):
        registry.rows("half")


@pytest.mark.parametrize("kind", registry.names())
def test_a_kind_has_all_that_is_asked_of_it(kind):
    options, scores = registry.options(kind).Task, registry.scores(kind)
    assert issubclass(options, Task)
    assert issubclass(registry.rows(kind).Row, TaskRow)
    assert options.fields.input in options.fields.required
    # A row has a number where its kind says that its answers are numbers.
    assert options.has_numbers == (registry.rows(kind).Row.number is not TaskRow.number)
    keys = [metric.key for metric in scores.METRICS]
    assert len(set(keys)) == len(keys)
    primary = scores.METRICS[0]
    assert primary.higher_is_better is not None
    assert primary.in_readme
    assert primary.in_groups
    assert all(metric.title and metric.meaning for metric in scores.METRICS)
    assert len({g.name for g in scores.GROUPINGS}) == len(scores.GROUPINGS) >= 1
    names = [baseline.name for baseline in registry.baselines(kind).BASELINES]
    assert len(set(names)) == len(names) >= 1
    assert callable(registry.predict(kind).answers)
    assert callable(registry.predict(kind).from_texts)
    assert callable(registry.loss(kind).loss)
    assert registry.report(kind).REPORT
    assert isinstance(registry.data_card(kind).CARD, KindCard)


@pytest.mark.parametrize("kind", registry.names_with_init())
def test_what_init_sets_up_is_a_task_of_its_kind(kind):
    init, fields = registry.init(kind).INIT, registry.options(kind).Task.fields
    assert init.input.field == fields.input
    assert {init.input.field, init.target.field} == fields.required
    assert init.template.is_file()


def test_an_endpoint_has_a_path_of_its_own_and_its_example_is_a_row():
    endpoints = {kind: each for kind in registry.names() if (each := registry.endpoint(kind))}
    assert {"price", "summarization"} <= endpoints.keys()
    paths = [endpoint.path for endpoint in endpoints.values()]
    assert len(set(paths)) == len(paths)
    for kind, endpoint in endpoints.items():
        assert endpoint.input in endpoint.request.model_fields
        fields = {endpoint.prediction, *(each.field for each in endpoint.shown)}
        assert fields <= endpoint.answer.model_fields.keys()
        assert isinstance(endpoint.row(endpoint.example, PROMPT), registry.rows(kind).Row)


def test_the_primary_metric_of_a_task_comes_first():
    keys = [metric.key for metric in registry.metrics("price", "hits")]
    assert keys[:2] == ["hits", "mae"]
    assert len(keys) == len(registry.scores("price").METRICS)
    assert registry.metrics("price", None) == registry.scores("price").METRICS
    # Of what is neither better nor worse there is no verdict.
    with pytest.raises(ParamsError, match="primary: is outside, must be one of mae, median_error"):
        registry.metrics("price", "outside")


def test_a_kind_without_init_is_not_offered(tmp_path, monkeypatch):
    for kind, file in (("plain", "options.py"), ("ready", "init.py")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / file).touch()
    monkeypatch.setattr(
        kinds, "folders", lambda: {kind: tmp_path / kind for kind in ("plain", "ready")}
    )
    assert registry.names_with_init() == ["ready"]
    with pytest.raises(ParamsError, match=r"kind: plain has no init\.py .*; those with one: ready"):
        registry.init("plain")


def test_nothing_outside_its_folder_names_a_kind():
    assert checks.problems(Path(__file__).parents[2]) == []


@pytest.mark.parametrize("stage", TORCH_FREE)
def test_stages_that_need_no_model_start_without_torch(stage):
    concerns = "; ".join(
        f"registry.{concern}({kind!r})"
        for kind in registry.names()
        for concern in ("options", "rows", "scores", "baselines", "report", "data_card")
    )
    code = (
        f"import sys; import finetune.stages.{stage}; from finetune.tasks import registry; "
        f"{concerns}; sys.exit(', '.join({{'torch', 'transformers'}} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
