"""The pipeline as a user runs it: `dvc exp run` in a clone, on a few rows of the embedded data."""

import hashlib
import json
import re
import subprocess
import sys

import pytest
from pipeline_clone import QUICK, Clone, ran

from finetune import composition
from finetune.core.schema import Run

pytestmark = pytest.mark.slow
AFTER_TRAINING = ("train", "predict", "evaluate")


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone in which the quick experiment has run once."""
    made = Clone.of_quick(tmp_path_factory)
    made.first = made.state()
    return made


def would_run(clone: Clone, *options: str) -> set[str]:
    """The stages that quick experiments with these options would run, of what they read alone."""
    file = clone.folder / "params.yaml"
    before = file.read_text()
    file.write_text(composition.compose(clone.folder, ["experiment=quick", *options]))
    try:
        return ran(clone.dvc("repro", "--dry"))
    finally:
        file.write_text(before)


def test_it_writes_metrics_of_both_tasks_and_a_report(clone):
    summaries, prices = clone.metrics("samsum", "tuned"), clone.metrics("price", "tuned")
    assert summaries["n"] == prices["n"] == 32
    interval, gain = summaries["interval"]["rouge1"], summaries["gain"]["rouge1"]
    assert interval["low"] <= summaries["rouge1"] <= interval["high"]
    assert gain["low"] <= gain["mean"] <= gain["high"]
    before, after = clone.metrics("samsum", "base")["base"]["rouge1"], summaries["rouge1"]
    assert gain["mean"] == pytest.approx(after - before, abs=1e-3)
    # The untuned model names no price: it has no score, and nothing is gained over it.
    untuned = clone.metrics("price", "base")["base"]
    assert untuned["no_answer_rate"] == 100.0
    assert "mae" not in untuned
    assert prices["gain"] == {}
    assert set(clone.metrics("samsum", "baselines")["baselines"]) == {
        "lead1", "lead3", "longest3", "lexrank", "oracle3",
    }  # fmt: skip
    assert set(clone.metrics("price", "baselines")["baselines"]) == {
        "mean", "median", "category_median", "basic_features", "ridge", "ridge_log", "svr",
        "random_forest", "boosting", "neighbours",
    }  # fmt: skip
    for task in ("samsum", "price"):
        assert set(clone.metrics(task, "base")) == {"base", "few_shot"}
        assert set(clone.metrics(task, "tuned")["forgetting"]) == {
            "page", "exercises", "all", "n", "truncated",
        }  # fmt: skip
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
        "save_minutes": 3, "push_state": True, "logging_steps": 2, "usd_per_hour": 1.5,
        "report_to": "[tensorboard]", "processes": 2, "accelerate": "deepspeed_zero2",
        "engine": "transformers", "vllm_python": "python", "gpu_kernels": True, "max_usd": 2.5,
        "hosted.concurrency": 2, "save_steps": 5, "hub": "owner/name",
        "costs.utilization.value": 0.5, "workers": 2, "data_engine": "ray",
    }  # fmt: skip
    assert {key.partition(".")[0] for key in other} == set(Run.model_fields) - {"hosted_prices"}
    options = [word for key, value in other.items() for word in ("-S", f"run.{key}={value}")]
    options += ["-S", "+run.hosted_prices.input=1.5"]
    assert ran(clone.run(*QUICK, *options)) == set()
    assert "cache_gb: 0.5" in (clone.folder / "params.yaml").read_text()
    said = clone.dvc("status")
    assert "changed deps" not in said.partition("models/")[0], said
    clone.run(*QUICK)


def test_another_rank_reruns_training_and_evaluation_alone(clone):
    said = clone.run(*QUICK, "-S", "lora.r=4")
    of_tasks = {f"{name}@{t}" for name in AFTER_TRAINING for t in ("samsum", "price")}
    assert ran(said) == {*of_tasks, "report"}
    diff = clone.dvc("metrics", "diff", "--all")
    assert "samsum.rouge1" in diff
    assert "price.mae" in diff


def test_another_tuner_in_the_same_precision_leaves_the_untuned_model_alone(clone):
    same = ("method=prefix", "method.quantization=nf4", "method.double_quantization=true")
    trained = {f"{name}@{t}" for name in ("train", "predict") for t in ("samsum", "price")}
    assert would_run(clone, *same) == {*trained, "report"}
    untuned = {f"base@{t}" for t in ("samsum", "price")}
    assert would_run(clone, "method=prefix") == {*trained, *untuned, "report"}


def test_going_back_to_parameters_that_were_run_restores_what_they_gave(clone):
    said = clone.run(*QUICK)
    restored = {f"{name}@{task}" for name in ("train", "predict") for task in ("samsum", "price")}
    assert not restored & ran(said)
    for name in restored:
        assert f"Stage '{name}' is cached - skipping run, checking out outputs" in said
    assert clone.moved() <= {"index.html"}


def test_the_same_seed_gives_the_same_predictions_and_scores_from_scratch(clone):
    stages = ("fetch", "prepare", "baselines", "base", "evaluate_base", *AFTER_TRAINING)
    all_of_prices = [f"{stage}@price" for stage in stages]
    assert ran(clone.dvc("repro", "--force", "--single-item", *all_of_prices)) == {*all_of_prices}
    # What is measured of the machine, and the page that shows it.
    assert clone.moved() <= {"train.json", "predict_base.json", "predict.json", "index.html"}


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("price/report.py", {"report"}),
        ("price/loss.py", {"train@price", "report"}),
        ("price/scores.py", {"baselines@price", "evaluate_base@price", "evaluate@price", "report"}),
        ("price/predict.py", {"base@price", "predict@price", "report"}),
    ],
)
def test_an_edit_of_a_kind_reruns_what_uses_it_and_no_other_task(clone, file, stages):
    edited = clone.folder / "src/finetune/tasks" / file
    code = edited.read_text()
    edited.write_text(f"{code}# edited\n")
    would_run = ran(clone.dvc("repro", "--dry"))
    edited.write_text(code)
    assert would_run == stages


def test_scoring_otherwise_reruns_no_stage_that_loads_a_model(clone):
    scoring = {f"{name}@samsum" for name in ("baselines", "evaluate_base", "evaluate")}
    said = clone.run(*QUICK, "-S", "tasks.samsum.score.stemmer=false")
    assert ran(said) == {*scoring, "report"}
    assert not ran(clone.run(*QUICK)) - {*scoring, "report"}
    of_both = {*scoring, *(name.replace("samsum", "price") for name in scoring)}
    assert would_run(clone, "bootstrap.resamples=200") == {*of_both, "report"}


def test_scoring_needs_neither_weights_nor_torch(clone, tmp_path):
    remote, elsewhere, no_torch = tmp_path / "remote", tmp_path / "elsewhere", tmp_path / "code"
    clone.git("add", "-A")
    clone.git("commit", "--quiet", "--allow-empty", "-m", "The quick experiment")
    clone.dvc("remote", "add", "--local", "--default", "store", str(remote))
    before_scoring = ("fetch", "prepare", "base", "predict", "evaluate_base", "evaluate")
    clone.dvc("push", *(f"{stage}@samsum" for stage in before_scoring))
    clone.dvc("remote", "remove", "--local", "store")

    clone.git("clone", "--quiet", ".", str(elsewhere))
    there = Clone.at(elsewhere)
    there.dvc("remote", "add", "--local", "--default", "store", str(remote))
    for name in ("torch", "transformers"):
        (no_torch / name).mkdir(parents=True)
        (no_torch / name / "__init__.py").write_text(f"raise ImportError('no {name} here')\n")
    file = there.folder / "params.yaml"
    file.write_text(file.read_text().replace("stemmer: true", "stemmer: false"))
    said = there.dvc("repro", "--pull", "--allow-missing", "evaluate@samsum", python_path=no_torch)
    assert ran(said) == {"evaluate_base@samsum", "evaluate@samsum"}
    assert not (elsewhere / "models/samsum").exists()
    assert there.metrics("samsum", "tuned")["protocol"]["stemmer"] is False


def test_branches_are_compared_in_a_clone_without_cache_or_remote(clone, tmp_path):
    clone.git("add", "-A")
    clone.git("commit", "--quiet", "--allow-empty", "-m", "The quick experiment")
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


def test_seeds_are_queued_run_and_found(clone):
    # HEAD is the quick experiment, with greedy prices.
    said = clone.finetune("seeds", "HEAD", "--n", "2")
    assert "queued HEAD-seed2" in said
    clone.dvc("exp", "run", "--run-all")
    said = clone.finetune("compare", "HEAD")
    assert "HEAD: 2 runs (train.seed 1, 2)" in said
    assert "No verdict: these runs are of one configuration" in said
    assert "there are 2 seeds already" in clone.finetune("seeds", "HEAD", "--n", "2")


def test_experiments_are_ranked_on_validation_and_looks_at_test_are_written_down(clone):
    ledger = clone.folder / "metrics/looks.json"
    ledger.unlink(missing_ok=True)
    clone.run(*QUICK, "-S", "tasks.price.eval.estimate=greedy", "-S", "lora.r=4", "-n", "r4")
    said = clone.finetune("rank")
    for task in ("samsum", "price"):
        # HEAD's table is the first; runs of the tests above on other rows have their own.
        title, *_ = [line for line in said.splitlines() if line.startswith(f"{task}: ")]
        assert "on 16 validation rows" in title
    assert re.search(r"^\d+ +r4 +1 .* 4 ", said, re.MULTILINE)
    assert re.search(r"^\d+ +HEAD +2 .* 16 ", said, re.MULTILINE)
    assert not ledger.exists()
    said = clone.finetune("ship", "r4", "--against", "HEAD", code=3)
    assert said.startswith("INCONCLUSIVE: r4 against HEAD")
    assert "HEAD: 2 runs" in said
    assert "general text (bits per byte)" in said
    looks = json.loads(ledger.read_text())["looks"]
    assert [look["task"] for look in looks] == ["samsum", "price"]
    assert "Test rows were looked at" not in report(clone)
    clone.dvc("repro", "report")
    assert "Test rows were looked at 2 times" in report(clone)
    clone.run(*QUICK, "-S", "tasks.price.eval.estimate=greedy")  # back to what HEAD is


def report(clone) -> str:
    return (clone.folder / "reports/index.html").read_text()


def test_one_task_runs_alone(clone):
    said = clone.run(*QUICK, "-S", "~tasks.price")
    assert ran(said) == {"report"}  # what it says of SAMSum is done already
    assert "@price" not in said
    assert "prices of products" not in (clone.folder / "reports/index.html").read_text()
