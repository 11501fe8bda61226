"""The kind from fetch to report, as a user runs it, from a folder of files."""

import csv
import itertools
import random
from pathlib import Path

import pytest
from pipeline_clone import Clone, ran

from synthetic.rows import tickets

pytestmark = pytest.mark.slow

# Shapes of somebody's own files: other names of columns, no ids, another delimiter.
FIELDS = "tasks.tickets.source.files"
OPTIONS = [
    "+task@tasks.tickets=tickets", "~tasks.samsum", "~tasks.price",
    "data=files", f"{FIELDS}.delimiter=';'", f"{FIELDS}.fields.text=message",
    f"{FIELDS}.fields.label=queue", "tasks.tickets.eval.shots=1", "train.max_steps=2",
    "train.num_evals=1", "bootstrap.resamples=100",
]  # fmt: skip
STAGES = (
    "fetch", "prepare", "data_card", "baselines", "base", "evaluate_base", "train", "predict",
    "evaluate",
)  # fmt: skip


def write(folder: Path) -> None:
    rows = tickets.rows(random.Random(0))
    for name, count in (("train", 40), ("test", 16)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(["queue", "message", "agent"])
            for row in itertools.islice(rows, count):
                writer.writerow([row["label"], row["text"], "Ann"])


def test_it_runs_from_files_to_the_report(tmp_path):
    clone = Clone(tmp_path / "clone")
    folder = tmp_path / "data/tickets"
    folder.mkdir(parents=True)
    write(folder)
    options = [*OPTIONS, f"data.root={folder.parent}"]
    said = clone.run(*(word for option in options for word in ("-S", option)))
    assert ran(said) == {*(f"{stage}@tickets" for stage in STAGES), "report"}

    tuned = clone.metrics("tickets", "tuned")
    keys = {
        *("accuracy", "macro_f1", "log_loss", "calibration_error", "outside"),
        "sampled_agreement",
    }
    assert keys <= tuned.keys()
    assert set(tuned["gain"]) == keys
    assert tuned["n"] == 16
    baselines = clone.metrics("tickets", "baselines")["baselines"]
    assert set(baselines) == {"majority", "logistic_regression", "neighbours"}
    assert set(clone.metrics("tickets", "base")) == {"base", "few_shot"}
    page = (clone.folder / "reports/index.html").read_text(encoding="utf-8")
    assert "The most confident mistakes of the tuned model" in page
    assert "true \\ predicted" in page
