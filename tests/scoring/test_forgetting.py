import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from finetune.core.errors import DataError
from finetune.core.schema import Bootstrap
from finetune.scoring.forgetting import bits, forgetting

OPTIONS = Bootstrap(resamples=100, confidence=0.95, seed=1)
LENGTHS = (300, 20, 7, 5)


def rows(*bits_per_byte: float, **more: object) -> list[dict]:
    parts = ["page", "page"] + ["exercises"] * (len(bits_per_byte) - 2)
    return [
        {
            "id": f"{part}-{i}",
            "part": part,
            "nll": of * math.log(2) * length,
            "tokens": 3,
            "bytes": length,
            "truncated": False,
            **more,
        }
        for i, (part, of, length) in enumerate(zip(parts, bits_per_byte, LENGTHS, strict=True))
    ]


def test_bits_per_byte_are_nats_by_their_unit_and_the_bytes():
    assert bits([{"nll": 8 * math.log(2), "bytes": 4}]) == [pytest.approx(2)]
    assert bits(rows(3, 1, 4, 1.5)) == pytest.approx([3, 1, 4, 1.5])
    assert bits([]) == []


def test_an_item_counts_as_one_and_the_difference_is_paired():
    found = forgetting(rows(3, 1, 4, 2), rows(3.5, 1.1, 3, 2), OPTIONS)
    assert (found["page"]["base"], found["page"]["tuned"]) == (2, 2.3)
    assert (found["exercises"]["base"], found["exercises"]["tuned"]) == (3, 2.5)
    assert (found["all"]["base"], found["all"]["tuned"]) == (2.5, 2.4)
    assert (found["n"], found["truncated"]) == (4, 0)
    differences = np.array([0.5, 0.1, -1, 0])
    ends = stats.t.interval(0.95, 3, differences.mean(), stats.sem(differences))
    difference = found["all"]["difference"]
    assert difference["mean"] == -0.1
    assert (difference["low"], difference["high"]) == pytest.approx(ends, abs=1e-4)


def test_a_model_that_changed_nothing_forgot_nothing():
    found = forgetting(rows(3, 1, 4, 2), rows(3, 1, 4, 2), OPTIONS)
    for part in ("page", "exercises", "all"):
        assert found[part]["difference"] == {"mean": 0, "low": 0, "high": 0}


def test_models_without_likelihoods_have_nothing_to_forget_by():
    assert forgetting([], [], OPTIONS) == {}
    with pytest.raises(DataError, match="not of the same items"):
        forgetting(rows(3, 1, 4, 1.5), [], OPTIONS)


def test_texts_that_did_not_fit_are_counted():
    one, other = (rows(3, 1, 4, 2, truncated=True) for _ in range(2))
    assert forgetting(one, other, OPTIONS)["truncated"] == 4


@pytest.mark.parametrize(
    "change",
    [lambda row: {**row, "id": "x"}, lambda row: {**row, "bytes": 1}],
    ids=["another item", "another text"],
)
def test_other_items_are_not_compared(change):
    one = rows(3, 1, 4, 2)
    with pytest.raises(DataError, match="not of the same items"):
        forgetting(one, [change(one[0]), *one[1:]], OPTIONS)


def test_it_waits_for_no_library_of_models():
    code = "import sys, finetune.scoring.forgetting, finetune.forgetting.texts; print('torch' in sys.modules)"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
