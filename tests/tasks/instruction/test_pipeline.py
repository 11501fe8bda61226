"""Instructions from fetch to report, by the command that the task's config names."""

import pytest
from pipeline_clone import Clone

pytestmark = pytest.mark.long

ALONE = ("-S", "+task@tasks.instructions=instructions", "-S", "~tasks.samsum", "-S", "~tasks.price")
FEW = (
    "data.embedded.rows.train=32", "data.embedded.rows.validation=8", "data.embedded.rows.test=12",
    "train.max_steps=2", "train.num_evals=1", "bootstrap.resamples=100",
    "tasks.instructions.eval.shots=1", "tasks.instructions.prompt.max_completion_tokens=16",
    "data.max_truncated=1",
)  # fmt: skip


def test_instructions_go_from_fetch_to_report(tmp_path):
    clone = Clone(tmp_path / "repository")
    clone.run(*ALONE, *(word for option in FEW for word in ("-S", option)))
    assert clone.metrics("instructions", "data")["data"]["train"]["kept"] == 32
    baselines = clone.metrics("instructions", "baselines")["baselines"]
    assert set(baselines) == {"most_common", "context_sentence", "neighbour"}
    assert set(clone.metrics("instructions", "base")) == {"base", "few_shot"}
    tuned = clone.metrics("instructions", "tuned")
    assert tuned["n"] == 12
    assert 0 < tuned["rows_with_facts"] <= 12
    assert {"rouge1", "rouge2", "rougeL", "facts_found", "perplexity"} <= set(tuned["gain"])
    groups = (clone.folder / "metrics/instructions/groups.tsv").read_text()
    assert "with context" in groups
    page = (clone.folder / "reports/index.html").read_text()
    assert "responses to instructions" in page
    assert "Required facts, of rows that list some" in page
