"""`finetune ship` on better, equal, worse and forgetting revisions."""

import json
from dataclasses import replace

import numpy as np
import pytest

from finetune.comparing import ship, verdicts
from finetune.comparing.configurations import Configuration
from finetune.comparing.ship import Decision
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap

OPTIONS = Bootstrap(resamples=500, confidence=0.95, seed=1)
ROWS, SEEDS = 400, 4
HARD = np.random.default_rng(0).normal(100, 10, ROWS)
BASELINE = 120.0


@pytest.fixture
def revision(configuration):
    """Makes a configuration of several seeds with all files that `ship` reads."""

    def made(name, gain=0.0, seed=0, bits=1.0, seeds=SEEDS, unparsable=0, sd=0.1, **params):
        rng = np.random.default_rng(seed)
        errors = HARD - gain + rng.normal(0, 4, (seeds, ROWS)) + rng.normal(0, sd, (seeds, 1))
        guards = {
            "tasks.price.guards.mae": 1.0,
            "tasks.price.guards.unparsable_rate": 2.0,
            "tasks.price.guards.forgetting": 0.1,
        }
        whole = configuration(name, errors, **guards, **params)
        runs = []
        for run in whole.runs:
            for row in run.predictions["price"][:unparsable]:
                row["unparsable"] = True
            noise = rng.normal(0, 0.02, 60)
            general = [
                {
                    "id": str(n),
                    "part": "page",
                    "bytes": 100,
                    "nll": (bits + noise[n]) * np.log(2) * 100,
                }
                for n in range(60)
            ]
            baseline = [
                {"id": str(n), "absolute_error": BASELINE + n % 3, "reference": n, "prediction": 0}
                for n in range(ROWS)
            ]
            scores = {
                "poor": {"validation": {"mae": 300.0}},
                "svr": {"validation": {"mae": 121.0}},
                "oracle": {"validation": {"mae": 1.0}, "protocol": {"oracle": True}},
            }
            files = {
                paths.general("price", "tuned"): lines(general),
                paths.baselines("price") / "svr.jsonl": lines(baseline),
                paths.metrics("price", "baselines"): json.dumps({"price": {"baselines": scores}}),
            }
            texts = {path.as_posix(): text for path, text in files.items()}
            runs.append(replace(run, text=texts.__getitem__))
        return Configuration(tuple(runs))

    return made


def lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def decide(main: Configuration, candidate: Configuration) -> Decision:
    (compared,) = verdicts.judge(verdicts.compare(main, [candidate], OPTIONS), OPTIONS)
    return ship.decide(main, candidate, compared, OPTIONS)


def answers(decision: Decision) -> dict[str, str]:
    return {each.asked: each.answer for each in decision.questions}


def test_a_better_revision_ships(revision):
    found = decide(revision("main"), revision("r64", gain=2, seed=1))
    assert (found.word, found.why) == ("SHIP", "better on price")
    assert answers(found) == {
        "as good in mae": "yes",
        "better than the best baseline, svr, in mae": "yes",
        "as good in unparsable_rate": "yes",
        "as good in general text (bits per byte)": "yes",
    }
    assert found.questions[0].gain.low > 1


def test_an_equal_revision_does_not(revision):
    found = decide(revision("main"), revision("equal", seed=2))
    assert (found.word, found.why) == ("DON'T SHIP", "no gain larger than the margin on any task")


def test_a_worse_revision_does_not(revision):
    found = decide(revision("main"), revision("worse", gain=-3, seed=3))
    assert (found.word, found.why) == ("DON'T SHIP", "price: not as good in mae")


def test_a_better_revision_that_forgets_does_not(revision):
    found = decide(revision("main"), revision("forgets", gain=5, seed=4, bits=1.5))
    assert found.word == "DON'T SHIP"
    assert found.why == "price: not as good in general text (bits per byte)"
    assert found.questions[-1].gain.mean == pytest.approx(-0.5, abs=0.02)


def test_a_better_revision_below_the_best_baseline_does_not(revision):
    main, better = revision("main", gain=-40), revision("better", gain=-30, seed=5)
    found = decide(main, better)
    assert found.word == "DON'T SHIP"
    assert found.why == "price: not better than the best baseline, svr, in mae"


def test_one_that_abstains_more_does_not(revision):
    found = decide(revision("main"), revision("silent", gain=5, seed=6, unparsable=18))
    assert found.word == "DON'T SHIP"
    assert "unparsable_rate" in found.why


def test_silence_ships_never(revision):
    found = decide(revision("main"), revision("silent", gain=5, seed=6, unparsable=40))
    assert found.word == "DON'T SHIP"
    assert "comparable" in found.why


def test_one_seed_a_side_lacks_seeds(revision):
    found = decide(revision("main", seeds=1), revision("r64", gain=5, seed=1, seeds=1))
    assert found.word == "INCONCLUSIVE"
    assert found.missing == ("seeds: fewer than 4 runs of both together do not show what seeds do",)


def test_what_one_run_a_side_shows_is_not_against_it_either(revision):
    found = decide(revision("main", seeds=1), revision("r64", gain=-5, seed=1, seeds=1))
    assert found.word == "INCONCLUSIVE"


def test_one_run_of_the_candidate_is_held_against_several_of_main(revision):
    main, single = revision("main", seeds=4), revision("r64", gain=3, seed=1, seeds=1)
    found = decide(main, single)
    assert found.word == "SHIP"
    # What its seed does to the lead over the baseline comes from main's runs.
    noisy = decide(revision("main", seeds=4, sd=9), revision("r64", gain=3, seed=1, seeds=1))
    assert answers(noisy)["better than the best baseline, svr, in mae"] == "open"
    assert answers(found)["better than the best baseline, svr, in mae"] == "yes"


def test_a_loss_within_the_margin_is_none(revision):
    main = revision("main")
    for run in main.runs:
        run.params["tasks.price.guards.mae"] = 5.0
    found = decide(main, revision("little worse", gain=-2, seed=3))
    assert found.questions[0].said == "worse"
    assert found.questions[0].answer == "yes"
    assert (found.word, found.why) == ("DON'T SHIP", "no gain larger than the margin on any task")


def test_the_bar_is_the_best_baseline_of_either_revision(revision):
    main, better = revision("main", gain=-40), revision("better", gain=-30, seed=5)
    broken = json.dumps({"price": {"baselines": {"poor": {"validation": {"mae": 300.0}}}}})

    def text(path, of=better.first.text):
        return broken if path.endswith("baselines.json") else of(path)

    without = Configuration(tuple(replace(run, text=text) for run in better.runs))
    assert decide(main, without).why == "price: not better than the best baseline, svr, in mae"


def test_without_guards_nothing_ships(revision):
    main = revision("main")
    for run in main.runs:
        for key in [key for key in run.params if "guards" in key]:
            del run.params[key]
    found = decide(main, revision("r64", gain=2, seed=1))
    assert found.word == "INCONCLUSIVE"
    assert found.questions[-1].said == "no guards are declared in tasks.price.guards"


def test_general_text_of_other_items_leaves_the_question_open(revision):
    main, other = revision("main"), revision("r64", gain=2, seed=1)

    def text(path, of=other.first.text):
        return of(path).replace('"id": "7"', '"id": "x"') if "general" in path else of(path)

    moved = Configuration(tuple(replace(run, text=text) for run in other.runs))
    found = decide(main, moved)
    assert (found.word, found.questions[-1].said) == ("INCONCLUSIVE", "measured on other texts")


def test_a_task_whose_primary_score_cannot_be_compared_leaves_the_verdict_open(revision):
    main, candidate = revision("main"), revision("r64", gain=2, seed=1)
    for run in main.runs:
        run.params["tasks.price.primary"] = "r2"  # of which 400 rows are too few
    found = decide(main, candidate)
    assert found.word == "INCONCLUSIVE"
    assert found.missing == ("price: whether it is comparable in its primary score",)


@pytest.mark.parametrize("margin", [None, "much", True])
def test_a_margin_that_is_no_number_is_refused(revision, margin):
    main = revision("main")
    for run in main.runs:
        run.params["tasks.price.guards.mae"] = margin
    with pytest.raises(UserError, match=r"main: tasks\.price\.guards\.mae: is .*, must be a nu"):
        decide(main, revision("r64", gain=2, seed=1))


def test_a_guard_of_what_is_neither_better_nor_worse_is_refused(revision):
    main = revision("main", **{"tasks.price.guards.coverage_90": 1.0})
    with pytest.raises(UserError, match="of which more is better or worse"):
        decide(main, revision("r64", gain=2, seed=1))


def test_what_is_too_noisy_says_what_is_missing(revision):
    main = revision("main", seeds=2, sd=2)
    found = decide(main, revision("noisy", gain=0.4, seed=7, seeds=2, sd=2))
    assert found.word == "INCONCLUSIVE"
    assert found.missing[0].startswith("seeds: price mae would show a difference of")
    assert "price: whether it is as good in mae" in found.missing


def test_a_revision_that_changes_nothing_does_not(revision):
    main = revision("main")
    found = decide(main, main)
    assert (found.word, found.why) == ("DON'T SHIP", "no row differs")


def test_general_text_that_was_not_measured_leaves_the_question_open(revision):
    main = revision("main")

    def missing(path):
        if "general" in path:
            raise UserError(f"main: that revision has no {path}")
        return main.first.text(path)

    old = Configuration(tuple(replace(run, text=missing) for run in main.runs))
    found = decide(old, revision("r64", gain=2, seed=1))
    assert found.word == "INCONCLUSIVE"
    assert found.questions[-1].answer == "open"
    assert "that revision has no" in found.questions[-1].said


def test_a_guard_of_no_score_is_refused(revision):
    main = revision("main", **{"tasks.price.guards.rouge1": 1.0})
    with pytest.raises(UserError, match=r"tasks\.price\.guards\.rouge1: is no score of the kind"):
        decide(main, revision("r64", gain=2, seed=1))


def test_exit_codes_are_those_of_the_verdicts():
    assert ship.EXIT_CODES == {"SHIP": 0, "DON'T SHIP": 1, "INCONCLUSIVE": 3}


def test_a_task_whose_runs_are_mains_own_has_no_noise_of_seeds(revision):
    main, candidate = revision("main", sd=5), revision("r64", gain=2, seed=1)
    assert not ship.is_untouched(main, candidate, "price")
    same = revision("rank of another task", sd=5)
    assert ship.is_untouched(main, same, "price")
    # Of the seeds of main the candidate has some: runs of main all the same.
    fewer = Configuration(same.runs[:-1])
    assert ship.is_untouched(main, fewer, "price")
    assert decide(main, fewer).why == "no row differs"
    found = decide(main, same)
    assert found.word == "DON'T SHIP"
    assert answers(found) == {
        "as good": "yes",
        "better than the best baseline, svr, in mae": "yes",
    }


@pytest.mark.parametrize("unparsable", [40, ROWS])
def test_an_untouched_task_without_a_score_leaves_the_question_open(revision, unparsable):
    main, same = (revision(name, gain=50, unparsable=unparsable) for name in ("main", "same"))
    found = decide(main, same)
    assert answers(found) == {"as good": "yes", "better than a baseline in mae": "open"}
    assert found.word != "SHIP"
