import json

import numpy as np
import pytest

from finetune.comparing import looks, verdicts
from finetune.comparing.configurations import Configuration
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap

OPTIONS = Bootstrap(resamples=200, confidence=0.95, seed=1)
ERRORS = np.random.default_rng(0).normal(100, 10, 40)


def look_at(before: Configuration, after: Configuration) -> list[looks.Look]:
    return looks.looks(before, [after], verdicts.compare(before, [after], OPTIONS))


def test_a_look_is_written_once_and_says_who_was_compared(configuration, tmp_path):
    before, after = configuration("main", ERRORS[None]), configuration("r64", ERRORS[None] - 3)
    now = look_at(before, after)
    assert looks.record(tmp_path, looks.read(tmp_path), now) == 1
    assert looks.record(tmp_path, looks.read(tmp_path), now) == 0
    (entry,) = json.loads((tmp_path / paths.looks()).read_text())["looks"]
    assert (entry["task"], entry["score"]) == ("price", "mae")
    assert (entry["before"]["runs"], entry["after"]["runs"]) == (["main"], ["r64"])
    assert entry["difference"] == pytest.approx(-3)


def test_the_same_runs_by_another_name_are_the_same_look(configuration, tmp_path):
    before, after = configuration("main", ERRORS[None]), configuration("r64", ERRORS[None] - 3)
    looks.record(tmp_path, [], look_at(before, after))
    renamed = configuration("HEAD", ERRORS[None]), configuration("best", ERRORS[None] - 3)
    assert looks.record(tmp_path, looks.read(tmp_path), look_at(*renamed)) == 0


def test_a_look_with_more_seeds_is_another_one(configuration, tmp_path):
    before = configuration("main", ERRORS[None])
    looks.record(tmp_path, [], look_at(before, configuration("r64", ERRORS[None] - 3)))
    seeds = configuration("r64", np.stack([ERRORS - 3, ERRORS - 2]))
    ledger = looks.read(tmp_path)
    now = look_at(before, seeds)
    assert len(looks.others(ledger, now)) == 1
    assert looks.record(tmp_path, ledger, now) == 1


def test_looks_at_other_rows_do_not_count(configuration, tmp_path):
    before, after = configuration("main", ERRORS[None]), configuration("r64", ERRORS[None] - 3)
    ledger = look_at(before, after)
    fewer = configuration("main", ERRORS[None, :30]), configuration("r64", ERRORS[None, :30] - 2)
    assert looks.others(ledger, look_at(*fewer)) == []
    other = configuration("r8", ERRORS[None] * 2)
    assert looks.others(ledger, look_at(before, other)) == [ledger[0]["p"]]


def test_rows_that_do_not_differ_are_no_look(configuration, tmp_path):
    same = configuration("main", ERRORS[None])
    assert look_at(same, configuration("again", ERRORS[None])) == []
    assert looks.record(tmp_path, [], []) == 0
    assert looks.read(tmp_path) == []


@pytest.mark.parametrize("text", ['{"looks": 3}', '{"looks": [{"task": "price"}]}'])
def test_what_is_no_ledger_is_refused(tmp_path, text):
    file = tmp_path / paths.looks()
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(UserError, match="is no ledger of looks; `git checkout"):
        looks.read(tmp_path)
