import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from finetune.checks import readme
from finetune.core.errors import UserError
from finetune.core.files import read_json, write_json

ROOT = Path(__file__).parents[2]
OLD = f"# Title\n\nBefore.\n\n{readme.START}\nold\n{readme.END}\n\nAfter.\n"


@pytest.fixture
def root(tmp_path) -> Path:
    """A repository of one task, its metrics, and a README whose results are old."""
    everything = OmegaConf.load(ROOT / "params.yaml")
    del everything["tasks"]["samsum"]
    (tmp_path / "params.yaml").write_text(OmegaConf.to_yaml(everything), encoding="utf-8")
    (tmp_path / "README.md").write_text(OLD, encoding="utf-8")
    write_metrics(tmp_path, mae=12.5)
    return tmp_path


def write_metrics(root: Path, mae: float) -> None:
    ends = {name: {"low": 1.0, "high": 99.0} for name in ("mae", "hits")}
    scores = {"mae": 40.0, "hits": 30.0, "n": 300, "interval": ends}
    gain = {name: {"mean": -27.5, "low": -30.0, "high": -25.0} for name in ("mae", "hits")}
    folder = root / "metrics/price"
    write_json(folder / "base.json", {"price": {"base": scores}})
    write_json(folder / "tuned.json", {"price": {**scores, "mae": mae, "gain": gain}})


def test_old_results_are_one_problem_and_new_ones_none(root):
    file = root / "README.md"
    (problem,) = readme.problems(root)
    assert problem.startswith("README.md: ")
    assert "`finetune readme`" in problem
    file.write_text(readme.with_results(OLD, root), encoding="utf-8")
    assert readme.problems(root) == []
    write_metrics(root, mae=12.51)
    assert len(readme.problems(root)) == 1


def test_results_stand_between_the_markers_and_nothing_else_changes(root):
    text = readme.with_results(OLD, root)
    before, _, rest = text.partition(readme.START)
    results, _, after = rest.partition(readme.END)
    assert before == "# Title\n\nBefore.\n\n"
    assert after == "\n\nAfter.\n"
    assert "old" not in results
    assert "**price**" in results
    assert "12.50 [1.00, 99.00]" in results
    assert "-27.50 [-30.00, -25.00]" in results
    assert readme.with_results(text, root) == text


@pytest.mark.parametrize("marker", [readme.START, readme.END])
def test_a_readme_without_a_marker_is_refused(root, marker):
    with pytest.raises(UserError, match="lacks"):
        readme.with_results(OLD.replace(marker, ""), root)


def test_a_task_that_has_not_run_is_one_problem(root):
    (root / "metrics/price/tuned.json").unlink()
    (problem,) = readme.problems(root)
    assert problem.endswith("metrics/price/tuned.json is not there; run `dvc repro`")


@pytest.mark.skipif(not (ROOT / "metrics").is_dir(), reason="nothing has run here yet")
def test_this_repository_shows_its_metrics(tmp_path):
    for name in ("README.md", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    assert readme.problems(tmp_path) == []


def test_the_median_is_the_best_point_estimate_of_the_committed_run():
    estimates = read_json(ROOT / "metrics/price/tuned.json")["price"]["estimates"]
    for name in ("greedy", "top_k_mean"):
        assert estimates["median"]["mae"] <= estimates[name]["mae"]
