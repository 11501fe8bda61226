"""What the README and docs/extending.md say on adding things, followed to the letter in a clone.

The first comment of a block says where it belongs: `# PATH` is the whole file, `# PATH, in NAME` an
entry of that tuple, `# PATH, at its end` what is appended.
"""

import re
import shlex
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from doc_pages import ROOT, Block, blocks, commands, sections, typed
from pipeline_clone import Clone, ran

from finetune.checks import kinds, stages

# A whole pipeline on few rows for each of three tasks.
pytestmark = pytest.mark.long

README = sections(ROOT / "README.md")
EXPERIMENTS = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
PLACE = re.compile(r"# (?P<path>[\w./-]+)(?:, (?:in (?P<tuple>[A-Z]+)|(?P<end>at its end)))?\n")
# The tasks of main have tests of their own.
ALONE = ("-S", "~tasks.samsum", "-S", "~tasks.price")


def follow(clone: Clone, section: str) -> str:
    """Do what a section says, and return what its last command prints."""
    said = ""
    for block in blocks(section):
        if block.language in ("python", "yaml"):
            put(clone.folder, block)
        elif block.language == "sh":
            subprocess.run(["bash", "-euc", block.text], cwd=clone.folder, check=True)
        else:
            (command,) = typed(block)
            said = repeat(clone, command)
    return said


def put(root: Path, block: Block) -> None:
    """Write a block where its first comment says."""
    place = PLACE.match(block.text)
    assert place, block.text
    file, text = root / place["path"], block.text[place.end() :]
    if not (place["tuple"] or place["end"]):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return
    before = file.read_text(encoding="utf-8")
    if place["end"]:
        after = before + text
    else:
        start = before.index(f"\n{place['tuple']} = (\n")
        end = before.index("\n)\n", start) + 1
        entry = textwrap.indent(text.rstrip("\n"), "    ") + ",\n"
        after = before[:end] + entry + before[end:]
    file.write_text(after, encoding="utf-8")


def repeat(clone: Clone, command: str) -> str:
    """Run a `dvc exp run …` of a page, of its own task alone."""
    program, *arguments = shlex.split(command)
    assert program == "dvc"
    return clone.dvc(*arguments, *ALONE)


def command_of(section: str) -> str:
    return next(line for b in blocks(section) if b.language == "console" for line in typed(b))


def problems(clone: Clone) -> list[str]:
    """What `make check` would find that it does not find here."""
    before, after = (kinds.problems(root) + stages.problems(root) for root in (ROOT, clone.folder))
    return [line for line in after if line not in before]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone in which the README's task has run."""
    made = Clone(tmp_path_factory.mktemp("clone") / "repository")
    made.said = follow(made, README["Add a task"])
    return made


def test_a_task_is_a_config_file(clone):
    assert {"train@brief", "evaluate@brief", "report"} <= ran(clone.said)
    assert clone.metrics("brief", "tuned")["n"] == 32
    assert "brief" in (clone.folder / "reports/index.html").read_text()
    assert problems(clone) == []


def test_a_metric_is_an_entry_and_loads_no_model(clone):
    follow(clone, README["Add a metric"])
    said = repeat(clone, command_of(README["Add a task"]))
    assert ran(said) == {"baselines@brief", "evaluate_base@brief", "evaluate@brief", "report"}
    for name in ("base", "tuned"):
        metrics = clone.metrics("brief", name)
        scores = metrics.get(name, metrics)
        assert scores["words"] > 0
        assert scores["interval"]["words"]["low"] <= scores["words"]
        assert scores["validation"]["words"] > 0
    assert clone.metrics("brief", "tuned")["gain"]["words"]["low"] is not None
    assert "words of an answer" in (clone.folder / "reports/index.html").read_text()
    assert problems(clone) == []


def test_a_baseline_is_an_entry_and_a_name(clone):
    follow(clone, README["Add a baseline"])
    said = repeat(clone, command_of(README["Add a task"]))
    assert {"baselines@brief", "report"} <= ran(said) <= {"validate", "baselines@brief", "report"}
    assert list(clone.metrics("brief", "baselines")["baselines"]) == ["lead3", "last1"]
    assert "the last line" in (clone.folder / "reports/index.html").read_text()
    assert problems(clone) == []


def test_queued_experiments_run_and_are_shown_by_validation(clone):
    clone.git("add", "-A")
    clone.git("commit", "--quiet", "-m", "A task of few words")
    _, *arguments = shlex.split(command_of(README["Add a task"]))
    clone.dvc(*arguments, "--queue", *ALONE, "-S", "bootstrap.resamples=200,300")
    clone.dvc("queue", "start")
    deadline = time.monotonic() + 400
    while (said := clone.dvc("queue", "status")).count("Success") < 2:
        assert "Failed" not in said, said
        assert time.monotonic() < deadline, said
        time.sleep(2)
    (command,) = (c for c in commands(EXPERIMENTS) if c.startswith("dvc exp show --drop"))
    _, *arguments = shlex.split(command.replace("samsum", "brief"))
    header, *rows = clone.dvc(*arguments, "--csv").strip().splitlines()
    assert header.split(",") == ["Experiment", "brief.validation.rouge1", "lora.r"]
    assert len(rows) == 4  # the workspace, its commit and the two


def test_a_kind_is_a_copied_folder(clone):
    said = follow(clone, README["Add a kind"])
    assert {"train@headlines", "evaluate@headlines", "report"} <= ran(said)
    assert clone.metrics("headlines", "tuned")["n"] == 32
    assert problems(clone) == []


def test_a_kind_is_written_file_by_file(clone):
    said = ""
    for section in sections(ROOT / "docs/extending.md").values():
        said = follow(clone, section) or said
    assert {"train@arrivals", "evaluate@arrivals", "report"} <= ran(said)
    tuned = clone.metrics("arrivals", "tuned")
    assert tuned["n"] == 32
    assert 0 <= tuned["exact_match"] <= 100
    assert set(clone.metrics("arrivals", "baselines")["baselines"]) == {"most_common"}
    assert "answers to questions" in (clone.folder / "reports/index.html").read_text()
    assert problems(clone) == []
    checked = [sys.executable, "-m", "ruff", "check", "src/finetune/tasks", "src/synthetic/rows"]
    subprocess.run(checked, cwd=clone.folder, check=True, capture_output=True)
