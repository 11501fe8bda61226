from dataclasses import replace

import numpy as np
import pytest

from finetune.comparing import configurations, runs, tables
from finetune.comparing.configurations import SEEDS, Configuration, grouped, noise, seeds_line
from finetune.comparing.experiments import Experiment
from finetune.comparing.runs import Run
from finetune.core.errors import UserError

ERRORS = np.random.default_rng(0).normal(100, 10, 30)


def names(found: list[Configuration]) -> list[list[str]]:
    return [[run.name for run in each.runs] for each in found]


def seeded(run, name: str, seed: int, shift: float = 0.0, **params: object) -> Run:
    seeds = {"train.seed": seed, "tasks.price.train.seed": seed}
    return run(name, ERRORS + shift + seed, **seeds, **params)


def test_runs_that_differ_in_the_seed_alone_are_one_configuration(run):
    compared = [
        seeded(run, "a", 1), seeded(run, "d", 1, 5, **{"lora.r": 64}), seeded(run, "b", 2),
        seeded(run, "e", 2, 5, **{"lora.r": 64}),
    ]  # fmt: skip
    assert names(grouped(compared, SEEDS)) == [["a", "b"], ["d", "e"]]
    found = grouped(compared, SEEDS)
    assert seeds_line(found[0]) == "a: 2 runs (train.seed 1, 2)"


def test_what_is_composed_from_other_parameters_sets_no_configurations_apart(run):
    key = "tasks.price.train.selection.watch"
    compared = [seeded(run, "a", 1), seeded(run, "b", 2, **{key: "src/finetune"})]
    assert names(grouped(compared, SEEDS)) == [["a", "b"]]


def test_one_run_under_two_names_is_one(run):
    same = [seeded(run, "main", 1), seeded(run, "workspace", 1), seeded(run, "b", 2)]
    (found,) = grouped(same, SEEDS)
    assert names([found]) == [["main", "b"]]


def test_one_seed_run_again_to_other_predictions_is_not_another_seed(run, caplog):
    again = [seeded(run, "main", 1), seeded(run, "again", 1, 0.5)]
    assert names(grouped(again, SEEDS)) == [["main"]]
    assert "left out: again has the seed of main" in caplog.text


def test_other_code_is_another_configuration_whatever_the_seed(run):
    before, after = seeded(run, "main", 1), seeded(run, "branch", 2)
    code = frozenset({("train@price", "src/finetune/training", "abc")})
    changed = Run(after.name, after.params, after.kinds, after.predictions, code)
    assert names(grouped([before, changed], SEEDS)) == [["main"], ["branch"]]


def test_what_a_comparison_asks_is_no_part_of_a_configuration(run):
    compared = [
        seeded(run, "a", 1, **{"bootstrap.seed": 1, "tasks.price.guards.mae": 3.0}),
        seeded(
            run,
            "b",
            2,
            **{"bootstrap.seed": 2, "tasks.price.primary": "mae", "data.max_truncated": 0.5},
        ),
    ]
    assert len(grouped(compared, SEEDS)) == 1


def test_a_seed_of_another_task_repeats_a_tasks_run(run):
    compared = [seeded(run, "a", 1), seeded(run, "b", 1)]
    compared[1].params["tasks.other.train.seed"] = 2
    (found,) = grouped(compared, SEEDS)
    assert names([found]) == [["a", "b"]]
    assert [each.name for each in found.runs_of("price")] == ["a"]


@pytest.mark.parametrize("name", ["dropout", "lora.dropout"])
def test_another_parameter_may_be_the_noise(run, name):
    key = "lora.dropout" if "." in name else "train.dropout"
    compared = [seeded(run, "a", 1, **{key: 0.0}), seeded(run, "b", 1, 3, **{key: 0.1})]
    patterns = noise(compared, name)
    assert names(grouped(compared, patterns)) == [["a", "b"]]
    assert len(grouped(compared, SEEDS)) == 2


def test_a_parameter_that_no_run_has_is_refused(run):
    with pytest.raises(UserError, match="--over sed: no such parameter; give it in full"):
        noise([seeded(run, "a", 1)], "sed")
    assert noise([], None) == SEEDS


def test_the_spread_of_one_configuration_has_no_verdict(run):
    found = Configuration((seeded(run, "a", 1), seeded(run, "b", 3)))
    said = tables.spread(found, "simple")
    line = next(line for line in said.splitlines() if " mae " in line)
    mean = ERRORS.mean() + 2
    assert line.split()[2:4] == [f"{mean:.2f}", "1.41"]
    assert "No verdict: these runs are of one configuration" in said
    assert "better" not in said.partition("No verdict")[0]
    (mae, *_) = tables.spread_as_json(found)["spreads"]
    assert mae["sd"] == pytest.approx(2**0.5)
    assert mae["scores"] == pytest.approx([ERRORS.mean() + 1, ERRORS.mean() + 3])


def as_text(run: Run) -> str:
    return "\n".join(f"{key}: {value}" for key, value in run.params.items())


def test_further_seeds_are_found_among_the_experiments(run, monkeypatch, tmp_path):
    main = seeded(run, "main", 1)
    # As read: with the defaults of parameters that were added since.
    main = replace(main, params=runs.params_of("main", as_text(main))[0])
    there = {
        "seed2": seeded(run, "seed2", 2),
        "other": seeded(run, "other", 2, **{"lora.r": 64}),
        "old": seeded(run, "old", 3),
    }
    code = frozenset({("train@price", "src/finetune/training", "abc")})
    there["old"] = Run("old", there["old"].params, main.kinds, there["old"].predictions, code)

    def listed(_):
        for name, each in {**there, "lost": seeded(run, "lost", 4)}.items():
            yield Experiment(name, name, as_text(each))

    def read(_, name, split, commit):
        assert split == "validation"
        if name == "lost":
            raise UserError("lost: is in no cache here")
        return replace(there[name], params=runs.params_of(name, as_text(there[name]))[0])

    monkeypatch.setattr(configurations, "experiments", listed)
    monkeypatch.setattr(configurations.runs, "read", read)
    found, problems = configurations.with_further_seeds(tmp_path, [main], SEEDS, "validation")
    assert [each.name for each in found] == ["main", "seed2"]
    assert problems == [
        "lost: is in no cache here",
        "old has these parameters, but was run with other code or data",
    ]


def test_the_spread_of_silence_has_no_scores(run):
    found = Configuration((seeded(run, "a", 1), seeded(run, "b", 2)))
    for each in found.runs:
        for row in each.predictions["price"]:
            row["unparsable"] = True
    said = tables.spread(found, "simple")
    assert "no answer in 100 %" in said
    assert f"{ERRORS.mean() + 1:.2f}" not in said
