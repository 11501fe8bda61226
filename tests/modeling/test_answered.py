import dataclasses
import math

import numpy as np
import pytest

from finetune.core.interrupts import Interrupted
from finetune.inference.choices import Distribution
from finetune.inference.generate import Generated
from finetune.modeling import answered
from finetune.modeling.batches import in_batches, within_budget

LENGTHS = [3, 9, 4, 1, 5, 9, 2, 6]


def nothing() -> None:
    """Stands for what is done after a save."""


class Killed(BaseException):
    """Stands for a kill."""


class Asked:
    """Answers batches, and counts them; dies before one of them."""

    def __init__(self, die_at=None, result=lambda i: i / 3):
        self.seen, self.die_at, self.result = [], die_at, result

    def __call__(self, indices):
        if len(self.seen) == self.die_at:
            raise Killed
        self.seen.append(indices)
        return [self.result(i) for i in indices]


def run(folder, asked, descs=("a",), minutes=1e-9, budget=10):
    with answered.kept(folder, minutes, nothing) as store:
        results = [in_batches(LENGTHS, within_budget(budget), desc, asked) for desc in descs]
    return results, store


def test_what_a_killed_run_answered_is_not_asked_again(tmp_path):
    whole = Asked()
    expected, store = run(tmp_path / "whole", whole)
    assert store.resumed_rows == 0
    killed = Asked(die_at=3)
    with pytest.raises(Killed):
        run(tmp_path / "killed", killed)
    resumed = Asked()
    results, store = run(tmp_path / "killed", resumed)
    assert results == expected
    assert killed.seen + resumed.seen == whole.seen
    assert store.resumed_rows == sum(map(len, killed.seen))


def test_calls_of_one_name_are_kept_apart(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, Asked(die_at=7), ("same", "same"))
    numbers = iter(range(100))
    (first, second), _ = run(tmp_path, Asked(result=lambda i: next(numbers)), ("same", "same"))
    assert first == [i / 3 for i in range(8)]
    assert second != first


def test_other_batches_are_asked_anew(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, Asked(die_at=3))
    asked = Asked()
    _, store = run(tmp_path, asked, budget=200)
    assert asked.seen == [[1, 5, 7, 4, 2, 0, 6, 3]]
    assert store.resumed_rows == 0


@pytest.mark.parametrize("cut", [1, 30])
def test_a_torn_last_line_is_dropped_and_lines_follow(tmp_path, cut):
    for die_at in (3, 2):
        with pytest.raises(Killed):
            run(tmp_path, Asked(die_at=die_at))
        file = tmp_path / answered.FILE
        file.write_bytes(file.read_bytes()[:-cut])
    resumed = Asked()
    results, store = run(tmp_path, resumed)
    assert results == [[i / 3 for i in range(8)]]
    assert 0 < store.resumed_rows < 8


def test_a_damaged_line_is_answered_again(tmp_path, caplog):
    with pytest.raises(Killed):
        run(tmp_path, Asked(die_at=4))
    file = tmp_path / answered.FILE
    lines = file.read_bytes().split(b"\n")
    lines[1] = bytes(len(lines[1]))
    file.write_bytes(b"\n".join(lines))
    results, _ = run(tmp_path, Asked())
    assert results == [[i / 3 for i in range(8)]]
    assert "1 damaged lines; their rows are answered again" in caplog.text


def test_ctrl_c_says_what_is_kept(tmp_path):
    def interrupt(indices):
        if 0 in indices:
            raise KeyboardInterrupt
        return [0.0 for _ in indices]

    with pytest.raises(Interrupted, match="4 answered rows are kept; the same command resumes"):
        run(tmp_path, interrupt, minutes=60, budget=9)
    _, store = run(tmp_path, Asked(), budget=9)
    assert store.resumed_rows == 4


def test_what_is_kept_is_that_of_all_processes(tmp_path):
    def interrupt(indices):
        if 0 in indices:
            raise KeyboardInterrupt
        return [0.0 for _ in indices]

    # What another process has answered meanwhile, and is about to write.
    other = answered.Call(answered.Store(tmp_path / "other", 60, nothing), "1 a")
    other.add([3], [0.0])
    other.add([0], [0.0])
    other.store.write()
    lines = (tmp_path / "other" / answered.FILE).read_bytes()

    def with_other(indices):
        (tmp_path / answered.OF_RANK.format(1)).write_bytes(lines[:-1])
        return interrupt(indices)

    with pytest.raises(Interrupted, match="5 answered rows are kept; the same command resumes"):
        run(tmp_path, with_other, minutes=60, budget=9)


@pytest.mark.parametrize(
    "value",
    [
        0.1 + 0.2,
        math.inf,
        5e-324,
        Generated("a \ud800 lone\u2028 line", True, 1 / 3),
        [Generated("", False), Generated("b", True, None)],
        Distribution(np.array([0.1, 1 / 3]), outside=1e-17, mass=1.0, continuation=0.2),
        Distribution(None, outside=1.0, mass=0.0),
    ],
)
def test_results_come_back_exactly(tmp_path, value):
    for die_at in (1, None):
        try:
            (results,), _ = run(tmp_path, Asked(die_at, lambda i: value))
        except Killed:
            continue
    again = results[1]  # of the first batch
    if isinstance(value, Distribution):
        value, again = dataclasses.asdict(value), dataclasses.asdict(again)
        np.testing.assert_array_equal(value.pop("probabilities"), again.pop("probabilities"))
    assert value == again
    assert repr(value) == repr(again)  # reference_nll is not compared


def test_results_that_are_not_storable_are_named(tmp_path):
    with pytest.raises(TypeError, match=r"object: mark it with `answered\.storable`"):
        run(tmp_path, Asked(result=lambda i: object()))


def test_saved_is_called_every_few_minutes(tmp_path):
    calls = []
    with answered.kept(tmp_path, 1e-9, lambda: calls.append(1)):
        in_batches(LENGTHS, within_budget(10), "a", Asked())
    assert len(calls) == 5
