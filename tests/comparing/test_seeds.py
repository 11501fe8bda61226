import pytest
from scipy import stats

from finetune.comparing import tables
from finetune.comparing.runs import Run
from finetune.comparing.seeds import configurations, differences, parameter, spreads
from finetune.core.errors import UserError


def run(name: str, seed: int, r: int, error: float) -> Run:
    rows = [
        {
            "id": str(n),
            "reference": 100.0 + n,
            "prediction": 200.0 + error + n,
            "absolute_error": error + n,
            "hit": 100.0,
        }
        for n in (-1, 0, 1)
    ]
    params = {"train.seed": seed, "tasks.price.train.seed": seed, "data.seed": 7, "lora.r": r}
    return Run(name, params, {"price": "price"}, {"price": rows})


RUNS = [
    run("a", 1, 16, 100.0), run("b", 2, 16, 104.0), run("c", 3, 16, 102.0),
    run("d", 1, 64, 101.0), run("e", 2, 64, 97.0),
    run("f", 1, 4, 150.0),
]  # fmt: skip


def mae(found):
    """The spreads, or the differences, of that score."""
    return [each for each in found if getattr(each, "before", each).score == "mae"]


def test_runs_that_differ_in_the_seed_alone_are_one_configuration():
    found = configurations(RUNS, "train.seed")
    assert [each.name for each in found] == ["a, b, c", "d, e", "f"]
    assert found[0].values == (1, 2, 3)


def test_the_spread_is_that_of_the_runs_means():
    first, second, single = mae(spreads(configurations(RUNS, "train.seed")))
    assert (first.mean, first.sd) == pytest.approx((102, 2))
    assert second.scores == pytest.approx((101, 97))
    assert single.sd is None


def test_a_difference_is_held_against_the_spread():
    found = spreads(configurations(RUNS, "train.seed"))
    small, large = mae(differences(found, 0.95))
    assert small.mean == pytest.approx(-3)
    assert small.is_within_spread
    assert large.mean == pytest.approx(48)
    assert not large.is_within_spread
    # Pooled variance (2·4 + 1·8)/3, t of 3 degrees of freedom; each at a share of the 5 %.
    single = 1 - 0.025 / len(differences(found, 0.95))
    few, fewer = stats.t.ppf(single, 3), stats.t.ppf(single, 2)
    assert small.margin == pytest.approx(few * (16 / 3 * (1 / 3 + 1 / 2)) ** 0.5, rel=1e-4)
    assert large.margin == pytest.approx(fewer * (4 * (1 / 3 + 1)) ** 0.5, rel=1e-4)


def test_the_more_is_held_against_the_spread_the_wider_it_is():
    found = spreads(configurations(RUNS, "train.seed"))
    (few, *_), (many, *_) = differences(mae(found), 0.95), mae(differences(found, 0.95))
    assert few.margin < many.margin


def test_two_single_runs_have_no_spread_to_hold_a_difference_against():
    found = spreads(configurations([RUNS[0], RUNS[5]], "train.seed"))
    assert differences(found, 0.95) == []


@pytest.mark.parametrize("name", ["seed", "train.seed"])
def test_a_seed_is_that_of_training_unless_said_otherwise(name):
    assert parameter(RUNS, name) == "train.seed"


@pytest.mark.parametrize(
    ("name", "said"),
    [("sed", "no such parameter"), ("data.seed", "is 7 in all of them; run it with others first")],
)
def test_a_parameter_that_says_nothing_is_refused(name, said):
    with pytest.raises(UserError, match=said):
        parameter(RUNS, name)


def test_one_run_twice_is_refused_by_both_names():
    with pytest.raises(UserError, match=r"a and again are one configuration with one train\.seed"):
        configurations([*RUNS, run("again", 1, 16, 100.0)], "train.seed")


def test_scores_that_rounding_alone_keeps_apart_are_within_the_spread():
    runs = [run(n, s, r, 0.1 + 0.2 if r == 4 else 0.3) for n, s, r in
            (("a", 1, 16), ("b", 2, 16), ("c", 1, 4), ("d", 2, 4))]  # fmt: skip
    found = differences(spreads(configurations(runs, "train.seed")), 0.95)
    assert all(each.is_within_spread for each in found)


def test_runs_without_a_common_task_have_no_spread():
    other = Run("z", {"train.seed": 4, "data.seed": 7, "lora.r": 16}, {"mails": "price"}, {})
    with pytest.raises(UserError, match="no task is in all"):
        spreads(configurations([RUNS[0], other], "train.seed"))


def test_what_sets_configurations_apart_is_told_and_that_single_runs_tell_nothing():
    found = spreads(configurations([RUNS[0], RUNS[3]], "train.seed"))
    assert not differences(found, 0.95)
    said = tables.spread("train.seed", found, [], 0.95, "simple")
    assert "From a to d:" in said
    assert "lora.r       16     64" in said
    assert "train.seed" not in said.partition("From a to d:")[2].partition("No configuration")[0]
    assert "Not compared" not in said
    assert "the spread of scores over train.seed is unknown" in said


def test_a_tasks_own_seed_is_found_by_its_short_name():
    runs = [run("a", 1, 16, 100.0), run("b", 1, 16, 104.0)]
    runs[1].params["tasks.price.train.seed"] = 2
    key = parameter(runs, "seed")
    assert key == "tasks.price.train.seed"
    assert [each.name for each in configurations(runs, key)] == ["a, b"]
