import re
from pathlib import Path

import pytest

from finetune.planning import command, lengths
from finetune.planning.lengths import Lengths, RowLength

ROOT = Path(__file__).parents[2]


@pytest.fixture
def rows(monkeypatch):
    """400 rows of 100 tokens for each task."""
    found = Lengths(400, 40_000, 100, RowLength(80, 20), "")
    monkeypatch.setattr(lengths, "of", lambda given, task: found)


def test_steps_are_of_each_tasks_own_batch(rows, capsys):
    command.print_plan(ROOT, ["train.epochs=1", "tasks.price.train.batch_size=8"])
    steps = re.findall(
        r"(\w+): 400 rows, (\d+) optimizer steps of (\d+) rows", capsys.readouterr()[0]
    )
    assert steps == [("samsum", "25", "16"), ("price", "50", "8")]
