"""Word problems from fetch to report, by the command that the task's config names."""

import json

import pytest
from pipeline_clone import Clone

pytestmark = pytest.mark.long

ALONE = ("-S", "+task@tasks.arithmetic=arithmetic", "-S", "~tasks.samsum", "-S", "~tasks.price")
FEW = (
    "data.embedded.rows.train=32", "data.embedded.rows.validation=8", "data.embedded.rows.test=12",
    "train.max_steps=2", "train.num_evals=1", "bootstrap.resamples=100",
    "tasks.arithmetic.eval.strategy=self_consistency", "tasks.arithmetic.eval.samples=3",
    "tasks.arithmetic.eval.shots=1", "tasks.arithmetic.score.max_no_answer=1.0",
    "tasks.arithmetic.prompt.max_completion_tokens=16", "data.max_truncated=1",
)  # fmt: skip


def test_problems_go_from_fetch_to_report(tmp_path):
    clone = Clone(tmp_path / "repository")
    clone.run(*ALONE, *(word for option in FEW for word in ("-S", option)))
    assert clone.metrics("arithmetic", "data")["data"]["train"]["kept"] == 32
    baselines = clone.metrics("arithmetic", "baselines")["baselines"]
    assert set(baselines) == {"most_frequent", "last_number", "neighbour"}
    base = clone.metrics("arithmetic", "base")
    assert set(base) == {"base", "few_shot"}
    tuned = clone.metrics("arithmetic", "tuned")
    assert tuned["n"] == 12
    assert tuned["protocol"]["strategy"] == "self_consistency"
    assert {"exact_match", "agreement", "perplexity"} <= set(tuned)
    assert 0 <= tuned["no_answer"] <= 12
    groups = (clone.folder / "metrics/arithmetic/groups.tsv").read_text()
    assert "step" in groups
    page = (clone.folder / "reports/index.html").read_text()
    assert "answers to word problems" in page
    assert "What became of the problems" in page
    predictions = clone.folder / "predictions/arithmetic/tuned.jsonl"
    assert len(json.loads(predictions.read_text().splitlines()[0])["samples"]) == 3
