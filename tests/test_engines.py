"""`finetune engines`: what two engines' answers to the same rows come to."""

import pytest

from finetune import engines
from finetune.core.schema import Bootstrap
from finetune.engines import Answers
from finetune.scoring.metrics import Metric

ERROR = Metric(key="mae", columns=("error",), title="error", unit="USD", higher_is_better=False)
OTHER = Metric(key="crps", columns=("crps",), title="CRPS", unit="USD", higher_is_better=False)
BOOTSTRAP = Bootstrap(resamples=100, confidence=0.95, seed=1)


def answers(engine: str, errors: list[float]) -> Answers:
    rows = [{"id": str(n), "prediction": e, "error": e} for n, e in enumerate(errors)]
    return Answers(engine, rows, seconds=1.25)


OURS, THEIRS = answers("ours", [1.0, 2.0, 4.0, 8.0]), answers("theirs", [1.0, 2.0, 4.0, 8.5])


@pytest.fixture
def gains():
    pair = OURS.predictions, THEIRS.predictions
    return engines.differences((ERROR, OTHER), *pair, BOOTSTRAP)


def test_differences_are_paired_and_of_the_scores_that_the_rows_have(gains):
    assert list(gains) == ["mae"]
    assert gains["mae"].mean == pytest.approx(0.125)
    assert gains["mae"].low < 0 < gains["mae"].high


def test_the_table_has_the_difference_and_its_interval(gains):
    lines = engines.table((ERROR, OTHER), gains, OURS, THEIRS, 0.95, "plain").splitlines()
    assert lines[0].split() == ["theirs", "−", "ours", "95", "%", "interval"]
    assert lines[1].startswith("error (USD)  +0.1250          [−0.")
    assert len(lines) == 2
    assert engines.remark(OURS, THEIRS) == (
        "1 of 4 answers differ, on the first 4 test rows. Time without loading the model here: "
        "ours 1.2 s, theirs 1.2 s."
    )


def test_as_json_it_says_the_same(gains):
    printed = engines.as_json("price", (ERROR, OTHER), gains, OURS, THEIRS)
    assert printed["difference"]["mae"]["mean"] == 0.125
    assert (printed["differing"], printed["rows"], printed["primary"]) == (1, 4, "mae")
    assert printed["engines"] == ["ours", "theirs"]
