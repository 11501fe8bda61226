import json

import numpy as np
import pytest

from finetune import ledger
from finetune.comparing import looks, verdicts
from finetune.comparing.configurations import Configuration
from finetune.core import paths
from finetune.core.schema import Bootstrap
from finetune.ledger import Look

OPTIONS = Bootstrap(resamples=200, confidence=0.95, seed=1)
ERRORS = np.random.default_rng(0).normal(100, 10, 40)


def look_at(before: Configuration, after: Configuration) -> list[Look]:
    return looks.of_comparisons(before, [after], verdicts.compare(before, [after], OPTIONS))


def test_a_look_is_written_once_and_says_who_was_compared(configuration, tmp_path):
    before, after = configuration("main", ERRORS[None]), configuration("r64", ERRORS[None] - 3)
    now = look_at(before, after)
    assert looks.record(tmp_path, now) == 1
    assert looks.record(tmp_path, now) == 0
    (entry,) = json.loads((tmp_path / paths.looks()).read_text())["looks"]
    assert (entry["task"], entry["score"]) == ("price", "mae")
    assert (entry["before"]["runs"], entry["after"]["runs"]) == (["main"], ["r64"])
    assert entry["difference"] == pytest.approx(-3)


def test_looks_of_a_comparison_that_ended_meanwhile_are_kept(configuration, tmp_path):
    before = configuration("main", ERRORS[None])
    for r, better in (("r8", 2), ("r64", 3)):  # both read the empty ledger, then write
        looks.record(tmp_path, look_at(before, configuration(r, ERRORS[None] - better)))
    assert [look.after.runs for look in ledger.read(tmp_path)] == [["r8"], ["r64"]]


def test_the_same_runs_by_another_name_are_the_same_look(configuration, tmp_path):
    before, after = configuration("main", ERRORS[None]), configuration("r64", ERRORS[None] - 3)
    looks.record(tmp_path, look_at(before, after))
    renamed = configuration("HEAD", ERRORS[None]), configuration("best", ERRORS[None] - 3)
    assert looks.record(tmp_path, look_at(*renamed)) == 0


def test_a_look_with_more_seeds_is_another_one(configuration, tmp_path):
    before = configuration("main", ERRORS[None])
    looks.record(tmp_path, look_at(before, configuration("r64", ERRORS[None] - 3)))
    seeds = configuration("r64", np.stack([ERRORS - 3, ERRORS - 2]))
    book = ledger.read(tmp_path)
    now = look_at(before, seeds)
    assert len(looks.others(book, now)) == 1
    assert looks.record(tmp_path, now) == 1


def test_looks_at_other_rows_do_not_count(configuration, tmp_path):
    before, after = configuration("main", ERRORS[None]), configuration("r64", ERRORS[None] - 3)
    book = look_at(before, after)
    fewer = configuration("main", ERRORS[None, :30]), configuration("r64", ERRORS[None, :30] - 2)
    assert looks.others(book, look_at(*fewer)) == []
    other = configuration("r8", ERRORS[None] * 2)
    assert looks.others(book, look_at(before, other)) == [book[0].p]


def test_rows_that_do_not_differ_are_no_look(configuration, tmp_path):
    same = configuration("main", ERRORS[None])
    assert look_at(same, configuration("again", ERRORS[None])) == []
    assert looks.record(tmp_path, []) == 0
    assert ledger.read(tmp_path) == []


def test_which_is_held_against_which_makes_no_other_look(configuration, tmp_path):
    before, after = configuration("main", ERRORS[None]), configuration("r64", ERRORS[None] - 3)
    looks.record(tmp_path, look_at(before, after))
    assert looks.record(tmp_path, look_at(after, before)) == 0


def test_another_test_of_the_same_runs_is_another_look(configuration, tmp_path):
    before, after = configuration("main", ERRORS[None]), configuration("r64", ERRORS[None] - 3)
    measured = verdicts.compare(before, [after], OPTIONS)
    looks.record(tmp_path, looks.of_comparisons(before, [after], measured))
    clustered = looks.of_comparisons(before, [after], measured, by_cluster=True)
    assert looks.record(tmp_path, clustered) == 1


def test_a_look_at_seeds_alone_is_written_down_and_is_no_test(configuration, tmp_path):
    seeds = configuration("main", np.stack([ERRORS, ERRORS + 1]))
    (look,) = looks.of_configuration(seeds)
    assert (look.before.runs, look.after, look.p) == (["main", "main-seed2"], None, None)
    assert looks.record(tmp_path, [look]) == 1
    book = ledger.read(tmp_path)
    assert book == [look]
    other = look_at(configuration("main", ERRORS[None]), configuration("r8", ERRORS[None] * 2))
    assert looks.others(book, other) == []


def test_several_with_the_same_predictions_are_one_look(configuration, tmp_path):
    before = configuration("main", ERRORS[None])
    afters = [configuration(name, ERRORS[None] - 3) for name in ("rate 1", "rate 2")]
    compared = verdicts.compare(before, afters, OPTIONS)
    now = looks.of_comparisons(before, afters, compared)
    assert len(now) == 1
    assert looks.record(tmp_path, now) == 1
    # A ledger that was merged by hand has it twice.
    other = look_at(before, configuration("r64", ERRORS[None] - 2))
    assert looks.others([*now, *now], other) == [now[0].p]
