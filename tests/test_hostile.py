"""What a hostile or half-merged params.yaml, and a killed run, can do through DVC: nothing."""

import json
from pathlib import Path

import pytest
import yaml
from pipeline_clone import Clone

from finetune.core import params

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone in which nothing has run."""
    return Clone(tmp_path_factory.mktemp("clone") / "repository")


@pytest.fixture(autouse=True)
def _as_committed(clone):
    yield
    clone.git("checkout", "--quiet", ".")
    clone.git("clean", "-fdqx")


def name_the_task(clone: Clone, name: str) -> None:
    file = clone.folder / "params.yaml"
    values = params.read_yaml(file.read_text(encoding="utf-8"), "params.yaml")
    values["tasks"] = {name: values["tasks"]["price"]}
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    ["x;touch RAN;", "$(touch RAN)", "`touch RAN`", "x\ntouch RAN\n", "x' ; touch RAN ; '"],
)
def test_no_name_of_a_task_runs_in_the_shell(clone, name):
    name_the_task(clone, name)
    said = clone.dvc("repro", fails=True)
    assert "cannot be a task's name" in said
    assert "Traceback" not in said
    assert not list(clone.folder.rglob("RAN"))
    assert clone.git("status", "--short") == " M params.yaml\n"


@pytest.mark.parametrize("name", ["{outside}", ".", "..", "embedded"])
def test_no_name_of_a_task_reaches_another_folder(clone, tmp_path, name):
    (tmp_path / "keep").touch()
    name_the_task(clone, name.format(outside=tmp_path))
    said = clone.dvc("repro", fails=True)
    assert "Traceback" not in said
    assert [file.name for file in tmp_path.iterdir()] == ["keep"]
    assert clone.git("status", "--short") == " M params.yaml\n"


def test_an_override_cannot_name_a_task_so_either(clone):
    before = (clone.folder / "params.yaml").read_bytes()
    said = clone.run("-S", "+task@tasks.embedded=price", fails=True)
    assert "finetune: tasks: 'embedded' cannot be a task's name" in said
    assert (clone.folder / "params.yaml").read_bytes() == before


def status(clone: Clone) -> dict:
    return json.loads(clone.dvc("status", "--json"))


def test_what_a_kill_leaves_is_seen_by_neither_dvc_nor_git(clone):
    before = status(clone)
    for name in ("metrics/price/.curves.abc_1234", "metrics/.price.abc.old", "data/raw/.price.abc"):
        left = clone.folder / f"{name}.partial"
        left.mkdir(parents=True)
        (left / "half.tsv").write_text("half")
    (clone.folder / "metrics/price/.base.json.abc_1234.partial").write_text("half")
    assert status(clone) == before
    assert clone.git("status", "--short") == ""
    # The same, called otherwise, is seen.
    (clone.folder / "metrics/price/half.tsv").write_text("half")
    assert status(clone) != before


def test_a_conflict_in_metrics_is_one_line(clone):
    file = Path("metrics/price/base.json")
    text = (clone.folder / file).read_text()
    (clone.folder / file).write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")
    said = clone.dvc("repro", "--single-item", "--force", "report", fails=True)
    assert f"finetune: report: {file}: line 1: a conflict of Git (<<<<<<< HEAD)" in said
    assert "Traceback" not in said
