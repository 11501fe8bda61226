"""The pipeline as a user runs it: `dvc exp run` in a clone, on a few rows of the embedded data."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_clone import QUICK, Clone, ran

from finetune.core.schema import Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone in which the quick experiment has run once."""
    made = Clone(tmp_path_factory.mktemp("clone") / "repository")
    made.run(*QUICK)
    made.first = made.state()
    return made


def test_it_writes_metrics_of_both_tasks_and_a_report(clone):
    summaries, prices = clone.metrics("samsum", "tuned"), clone.metrics("price", "tuned")
    assert summaries["n"] == prices["n"] == 32
    for scores, metric in ((summaries, "rouge1"), (prices, "mae")):
        interval, gain = scores["interval"][metric], scores["gain"][metric]
        assert interval["low"] <= scores[metric] <= interval["high"]
        assert gain["low"] <= gain["mean"] <= gain["high"]
    before, after = clone.metrics("price", "base")["base"]["mae"], prices["mae"]
    assert prices["gain"]["mae"]["mean"] == pytest.approx(after - before, abs=1e-3)
    assert set(clone.metrics("samsum", "ladder")["ladder"]) == {
        "lead1", "lead3", "longest3", "lexrank", "oracle3",
    }  # fmt: skip
    assert set(clone.metrics("price", "ladder")["ladder"]) == {
        "mean", "median", "category_median", "ridge", "svr", "random_forest", "boosting",
        "neighbours",
    }  # fmt: skip
    for task in ("samsum", "price"):
        assert set(clone.metrics(task, "base")) == {"base", "few_shot"}
        assert (clone.folder / f"metrics/{task}/groups.tsv").read_text().startswith("by\tgroup\t")
        file = clone.folder / f"predictions/{task}/tuned.jsonl"
        tuned = clone.metrics(task, "tuned")
        assert tuned["predictions_hash"] == hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    assert clone.metrics("samsum", "data")["data"]["train"]["kept"] == 64
    report = (clone.folder / "reports/index.html").read_text()
    assert f"{summaries['rouge1']:.1f}" in report
    curve = (clone.folder / "metrics/price/curves/validation_loss.tsv").read_text().splitlines()
    assert curve[0] == "step\tvalidation_loss"
    assert curve[-1].startswith("4\t")


def test_what_is_done_is_not_done_again(clone):
    assert ran(clone.run(*QUICK)) == set()
    assert "up to date" in clone.dvc("repro")


def test_settings_of_the_machine_rerun_nothing(clone):
    other = {
        "token_budget": 64, "eval_token_budget": 200, "cache_gb": 0.5, "memory_gb": 6.5,
        "save_minutes": 3, "logging_steps": 2, "usd_per_hour": 1.5,
    }  # fmt: skip
    assert set(other) == set(Run.model_fields)
    options = [word for key, value in other.items() for word in ("-S", f"run.{key}={value}")]
    assert ran(clone.run(*QUICK, *options)) == set()
    assert "cache_gb: 0.5" in (clone.folder / "params.yaml").read_text()
    said = clone.dvc("status")
    assert "changed deps" not in said.partition("models/")[0], said
    clone.run(*QUICK)


def test_another_rank_reruns_training_and_evaluation_alone(clone):
    said = clone.run(*QUICK, "-S", "lora.r=4")
    assert ran(said) == {
        "train@samsum", "train@price", "evaluate@samsum", "evaluate@price", "report",
    }  # fmt: skip
    diff = clone.dvc("metrics", "diff", "--all")
    assert "samsum.rouge1" in diff
    assert "price.mae" in diff


def test_the_same_seed_gives_the_same_predictions_and_scores_from_scratch(clone):
    # Back from the other rank: trains and evaluates anew. The stages before that are forced.
    assert "train@samsum" in ran(clone.run(*QUICK))
    first = [f"{stage}@price" for stage in ("fetch", "prepare", "ladder", "base")]
    assert ran(clone.dvc("repro", "--force", "--single-item", *first)) == set(first)
    after = clone.state()
    assert clone.first.keys() == after.keys()
    moved = {Path(name).name for name in after if clone.first[name] != after[name]}
    # What is measured of the machine, and the page that shows it.
    assert moved <= {"train.json", "index.html"}


def test_branches_are_compared_in_a_clone_without_cache_or_remote(clone, tmp_path):
    clone.git("add", "-A")
    clone.git("commit", "--quiet", "-m", "The quick experiment")
    clone.git("switch", "--quiet", "-c", "other")
    clone.run(*QUICK, "-S", "tasks.price.eval.estimate=greedy")
    clone.git("commit", "--quiet", "-am", "Greedy prices")
    bare = tmp_path / "elsewhere"
    clone.git("clone", "--quiet", ".", str(bare))
    main = clone.git("rev-parse", "other~1").strip()
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "metrics", "diff", main, "other", "--json"],
        cwd=bare,
        capture_output=True,
        text=True,
        check=True,
    )
    changed = json.loads(done.stdout)["metrics/price/tuned.json"]
    assert changed["price.mae"]["diff"] != 0


def test_one_task_runs_alone(clone):
    said = clone.run(*QUICK, "-S", "~tasks.price")
    assert ran(said) == {"report"}  # what it says of SAMSum is done already
    assert "@price" not in said
    assert "prices of products" not in (clone.folder / "reports/index.html").read_text()
