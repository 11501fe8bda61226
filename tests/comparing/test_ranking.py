import json
from dataclasses import replace

import numpy as np
import pytest

from finetune.comparing import ranking
from finetune.comparing.configurations import Configuration
from finetune.comparing.rank_tables import differing, table
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap

OPTIONS = Bootstrap(resamples=500, confidence=0.95, seed=1)
HARD = np.random.default_rng(0).normal(100, 10, 200)


@pytest.fixture
def entry(configuration):
    """Makes a configuration with a training time and a size."""

    def made(name, gain, seed, minutes=1.0, parameters=1000, seeds=3, **params) -> Configuration:
        rng = np.random.default_rng(seed)
        errors = HARD - gain + rng.normal(0, 3, (seeds, 200))
        train = {
            "trainable_parameters": parameters,
            "run": {"minutes": minutes, "tokens_per_second": 500},
        }
        text = json.dumps({"price": {"train": train}})
        whole = configuration(name, errors, **params)
        return Configuration(tuple(replace(run, text=lambda _: text) for run in whole.runs))

    return made


def test_the_best_is_first_and_what_cannot_be_told_apart_is_a_tie(entry):
    found = ranking.rank(
        [entry("poor", 0, 1), entry("best", 5, 2), entry("close", 4.9, 8)], "price", OPTIONS
    )
    assert [each.configuration.name for each in found] == ["best", "close", "poor"]
    assert [each.is_best for each in found] == [True, False, False]
    assert [each.is_tied for each in found] == [False, True, False]
    assert found[0].score.low < found[0].score.mean < found[0].score.high
    assert found[0].score.mean == pytest.approx(95, abs=1)
    assert found[2].p < 0.01


def test_efficient_is_what_no_other_beats_in_score_time_and_size(entry):
    found = ranking.rank(
        [
            entry("good", 5, 1, minutes=9),
            entry("cheap", 3, 2, minutes=1),
            entry("neither", 1, 3, minutes=2),
            entry("small", 0, 4, minutes=9, parameters=10),
        ],
        "price",
        OPTIONS,
    )
    efficient = {each.configuration.name for each in found if each.is_efficient}
    assert efficient == {"good", "cheap", "small"}


def test_silence_stands_last_and_has_no_score(entry):
    silent = entry("silent", 50, 1)
    for run in silent.runs:
        for row in run.predictions["price"][:20]:
            row["unparsable"] = True
    found = ranking.rank([silent, entry("main", 0, 2)], "price", OPTIONS)
    assert [each.configuration.name for each in found] == ["main", "silent"]
    assert (found[1].score, found[1].is_best, found[1].no_answer) == (None, False, 0.1)
    assert "no answer in 10 %" in table("price", found, None, "simple")


def test_a_run_without_a_training_time_is_ranked_all_the_same(configuration):
    found = ranking.rank([configuration("main", HARD[None])], "price", OPTIONS)
    assert found[0].is_best
    assert found[0].cost.minutes is None
    assert not found[0].is_efficient


def test_the_table_has_costs_and_the_parameters_that_differ(entry):
    found = ranking.rank(
        [
            entry("main", 0, 1),
            entry("r64", 5, 2, minutes=30, parameters=4000, **{"lora.r": 64}),
        ],
        "price",
        OPTIONS,
    )
    said = table("price", found, 2.0, "simple")
    head, _, first, second = said.splitlines()[2:]
    assert head.split()[:3] == ["runs", "seeds", "lora.r"]
    assert "USD" in head
    assert first.split()[:4] == ["1", "r64", "3", "64"]
    assert all(cell in first for cell in ("30.00", "1.00", "4,000"))
    assert second.split()[:4] == ["2", "main", "3", "16"]
    assert "validation rows, lower is better" in said
    assert "USD" not in table("price", found, None, "simple").splitlines()[2]


def test_parameters_of_other_tasks_do_not_set_configurations_apart(entry):
    one = entry("a", 0, 1, **{"tasks.other.train.epochs": 1, "train.epochs": 1})
    two = entry("b", 0, 2, **{"tasks.other.train.epochs": 2, "train.epochs": 1})
    assert differing([one, two], "price") == []


def test_not_answering_the_hard_rows_does_not_pay(entry):
    main, shy = entry("main", 0, 1, seeds=1), entry("shy", 0, 1, seeds=1, **{"lora.r": 64})
    hardest = sorted(shy.first.predictions["price"], key=lambda row: -row["absolute_error"])[:8]
    for row in hardest:
        row |= {"unparsable": True, "absolute_error": 1.0}
    found = ranking.rank([main, shy], "price", OPTIONS)
    assert {each.rows for each in found} == {192}
    assert found[0].score.mean == found[1].score.mean
    assert found[1].is_tied
    assert "no answer in 4 %" in table("price", found, None, "simple")


def test_a_score_that_needs_more_rows_is_refused(entry):
    few = entry("main", 0, 1, **{"tasks.price.primary": "r2"})
    with pytest.raises(UserError, match="price: 200 validation rows are too few for r2, which nee"):
        ranking.rank([few], "price", OPTIONS)


@pytest.mark.parametrize("train", ["{}", '{"price": null}', '{"price": {"train": {"run": {}}}}'])
def test_metrics_of_other_versions_cost_nothing(configuration, train):
    whole = configuration("main", HARD[None])
    odd = Configuration(tuple(replace(run, text=lambda _: train) for run in whole.runs))
    (found,) = ranking.rank([odd], "price", OPTIONS)
    assert (found.cost.minutes, found.cost.parameters) == (None, None)
