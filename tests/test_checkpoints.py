"""`finetune checkpoints`: adapters of evaluations, scored on rows that may choose."""

import pytest

from finetune import checkpoints
from finetune.checkpoints import Checkpoint
from finetune.scoring.metrics import Metric

ERROR = Metric(key="mae", columns=("error",), title="error", unit="USD", higher_is_better=False,
               in_readme=True)  # fmt: skip
HITS = Metric(key="hits", columns=("hit",), title="hits", unit="%", in_readme=True)
LENGTH = Metric(key="length", columns=("length",), title="length", higher_is_better=None)


def scored(error: float) -> dict[str, dict[str, float]]:
    return {"mae": {"score": error, "low": error - 1, "high": error + 1}, "hits": {"score": 50.0}}


FOUND = [
    Checkpoint(10, 2.0, scored(7.0)),
    Checkpoint(20, 1.5, scored(9.0)),
    Checkpoint(30, None, {}),
]


def test_the_kept_and_the_best_adapter_are_marked():
    lines = checkpoints.table(FOUND, (ERROR, HITS, LENGTH), 20, "plain").splitlines()
    assert lines[0].split() == ["step", "validation", "loss", "error", "(USD)", "hits", "(%)"]
    assert lines[1].endswith("best here")
    assert "7.00 [6.00,\N{NO-BREAK SPACE}8.00]" in lines[1]
    assert lines[2].endswith("kept")
    assert lines[3].count("too few answers") == 2


@pytest.mark.parametrize(
    ("found", "best"),
    [
        (FOUND, 10),
        (FOUND[1:], 20),
        ([Checkpoint(10, 2.0, {}), Checkpoint(20, 1.5, {})], 20),  # by loss
        ([Checkpoint(10, 2.0, scored(7.0)), Checkpoint(20, 1.5, scored(7.0))], 20),
    ],
)
def test_the_best_is_that_of_the_metric_s_own_direction(found, best):
    assert checkpoints.best_step(found, ERROR) == best


def test_as_json_it_says_all_scores():
    printed = checkpoints.as_json(FOUND, ERROR, 20, "validation")
    assert (printed["kept"], printed["best"], printed["split"]) == (20, 10, "validation")
    assert [c["step"] for c in printed["checkpoints"]] == [10, 20, 30]
