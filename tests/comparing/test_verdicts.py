import numpy as np
import pytest

from finetune.comparing import tables, verdicts
from finetune.comparing.comparability import (
    incomparable_scores,
    scores_of_one,
)
from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Run
from finetune.comparing.verdicts import Comparison
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap
from finetune.scoring import crossed

OPTIONS = Bootstrap(resamples=2000, confidence=0.95, seed=1)
NOISE = np.random.default_rng(0).normal(0, 10, size=(2, 200))


def judged(before: Run, *afters: Run, looks=()) -> list[list[Comparison]]:
    """Single runs compared and judged."""
    sides = [Configuration((each,)) for each in (before, *afters)]
    return verdicts.judge(verdicts.compare(sides[0], sides[1:], OPTIONS), OPTIONS, looks)


def mae(found: list[list[Comparison]]) -> Comparison:
    return next(each for rows in found for each in rows if each.score == "mae")


def test_a_lower_error_is_better_and_a_higher_one_worse(run):
    before, after = run("a", 100 + NOISE[0]), run("b", 80 + NOISE[0] + NOISE[1] / 5)
    better, worse = mae(judged(before, after)), mae(judged(after, before))
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.interval.mean == pytest.approx(-20, abs=0.5)
    assert better.interval.low < better.interval.mean < better.interval.high < 0
    assert better.after == pytest.approx(better.before + better.interval.mean)
    assert better.n == 200
    assert better.is_primary


def test_a_difference_within_the_noise_says_what_would_have_been_found(run):
    found = mae(judged(run("a", 100 + NOISE[0]), run("b", 100.3 + NOISE[1])))
    assert found.verdict == "cannot be told apart"
    assert found.p > 0.05
    # 2.8 standard errors of a difference of two independent normal scores of sd 10.
    assert found.detectable == pytest.approx(2.8 * 10 * (2 / 200) ** 0.5, rel=0.1)
    assert found.detail.startswith(f"would find ±{found.detectable:.2f} in 80 % of cases")


def test_no_interval_beside_an_undecided_verdict_excludes_zero(run):
    rng = np.random.default_rng(2)
    for shift in np.linspace(-3, 3, 13):
        errors = 100 + shift + NOISE[0] / 2 + rng.normal(0, 8, 200)
        rows = judged(run("a", 100 + NOISE[0]), run("b", errors), run("c", errors[::-1]))
        for each in (comparison for of in rows for comparison in of):
            undecided = each.verdict == "cannot be told apart"
            assert undecided == (each.interval.low <= 0 <= each.interval.high)


def test_a_run_cannot_be_told_from_itself(run):
    same = run("main", 100 + NOISE[0])
    for each in judged(same, same)[0]:
        assert (each.difference.mean, each.p, each.verdict) == (0, 1, "cannot be told apart")
        assert each.detail == "no row differs"


def test_rows_are_paired_by_id_and_not_by_place(run):
    before = run("a", 100 + NOISE[0])
    shuffled = Run("b", before.params, before.kinds, {"price": before.predictions["price"][::-1]})
    assert mae(judged(before, shuffled)).difference.mean == 0


def test_the_more_is_compared_the_less_is_called_better(run):
    # A difference that is just clear when it is the only one.
    before, close = run("a", 100 + NOISE[0]), run("b", 98.5 + NOISE[0] + NOISE[1])
    alone = mae(judged(before, close))
    others = [run(f"c{n}", 100 + n / 1000 + NOISE[1]) for n in range(15)]
    crowd = judged(before, close, *others)
    assert alone.p == mae(crowd).p == alone.p_adjusted
    assert mae(crowd).p_adjusted == pytest.approx(16 * alone.p) or mae(crowd).p_adjusted == 1
    assert mae(crowd).interval.high > alone.interval.high
    # Looks of yesterday count like those of today.
    assert mae(judged(before, close, looks=[1.0] * 15)).p_adjusted == mae(crowd).p_adjusted


def test_the_primary_score_is_the_declared_one(run):
    sides = [
        run(name, errors, **{"tasks.price.primary": "hits"})
        for name, errors in (("a", 100 + NOISE[0]), ("b", 80 + NOISE[0]))
    ]
    (rows,) = judged(*sides)
    assert [each.score for each in rows if each.is_primary] == ["hits"]
    sides[0].params["tasks.price.primary"] = "outside"
    with pytest.raises(UserError, match=r"tasks\.price\.primary: is outside, must be one of mae"):
        judged(*sides)


def test_seeds_of_both_sides_are_in_the_interval(configuration):
    rng = np.random.default_rng(3)
    rows = rng.normal(100, 10, 200)

    def runs(name, sd, mean=0.0, **params):
        offsets = np.array([-1, 0, 1])[:, None] * sd
        return configuration(name, rows + mean + offsets + rng.normal(0, 2, (3, 200)), **params)

    def judge(sd):
        sides = runs("a", sd), runs("b", sd, -2.0, **{"lora.r": 64})
        return mae(verdicts.judge(verdicts.compare(sides[0], [sides[1]], OPTIONS), OPTIONS))

    assert judge(0.1).verdict == "better"
    assert judge(0.1).difference.seeds == (3, 3)
    assert judge(4.0).verdict == "cannot be told apart"


def test_a_difference_that_rests_on_few_rows_must_hold_when_corrected_for_skewness(run):
    rng = np.random.default_rng(4)
    before = 100 + rng.normal(0, 1, 200)
    wild = before + rng.normal(0, 1, 200)
    wild[:3] += 400
    found = mae(judged(run("a", before), run("b", wild)))
    assert found.rests_on_few
    assert "rests on few rows: 2 % of them hold" in found.detail
    assert found.verdict == "cannot be told apart"
    everywhere = wild + 5
    assert mae(judged(run("a", before), run("c", everywhere))).verdict == "worse"


def test_ranks_do_not_decide_where_a_difference_rests_on_few_rows(run):
    # 8 USD better, but 400 off in a row of fifty: as good. Of four such rows one was drawn.
    rng = np.random.default_rng(5)
    before = 100 + rng.normal(0, 5, 200)
    lucky = before - 8 + rng.normal(0, 5, 200)
    lucky[0] += 400
    found = mae(judged(run("a", before), run("b", lucky)))
    assert found.rests_on_few
    assert max(found.difference.p, crossed.rank_p(found.difference.by_row)) < 0.01
    assert found.verdict == "cannot be told apart"
    # The p-value is that of the correction for skewness, by which the interval holds zero.
    assert found.p > 0.05
    assert found.interval.low <= 0 <= found.interval.high


def without_answers(run: Run, count: int) -> Run:
    for row in run.predictions["price"][:count]:
        row["unparsable"] = True
    return run


def test_silence_has_no_score_and_no_verdict(run):
    before = without_answers(run("a", 100 + NOISE[0]), 11)
    found = mae(judged(before, run("b", 80 + NOISE[0])))
    assert found.is_silent
    assert found.verdict == "no answer"
    assert found.detail == "in 5.5 % and 0 % of the rows"
    said = tables.comparisons(*sides(before, run("b", 80 + NOISE[0])), 1, "simple")
    line = next(line for line in said.splitlines() if " mae " in line)
    assert "no answer in 5.5 %" in line
    assert "80." not in line
    # The rate is a parameter of the task's scoring.
    before.params["tasks.price.score.max_no_answer"] = 0.1
    assert mae(judged(before, run("b", 80 + NOISE[0]))).verdict == "better"


def test_where_no_row_has_two_answers_there_is_no_score(run):
    before, after = run("a", 100 + NOISE[0]), without_answers(run("b", 100 + NOISE[0]), 100)
    for row in before.predictions["price"][100:]:
        row["unparsable"] = True
    before.params["tasks.price.score.max_no_answer"] = 0.6
    found = mae(judged(before, after))
    assert (found.verdict, found.is_silent) == ("no answer", True)


def sides(before: Run, after: Run):
    return Configuration((before,)), [Configuration((after,))], judged(before, after)


def test_rows_whose_answer_is_a_stand_in_are_left_out_of_both(run):
    errors = 100 + NOISE[0]
    errors[:8] = 1.0  # what the constant got
    before, after = without_answers(run("a", errors), 8), run("b", 100 + NOISE[0])
    found = mae(judged(before, after))
    assert (found.n, found.difference.mean) == (192, 0)
    assert found.unanswered == (0.04, 0.0)
    said = tables.comparisons(*sides(before, after), 1, "simple")
    assert "price: no answer in 4 % of the rows of a and 0 % of b" in said


def test_other_rows_are_refused_with_how_many_are_shared_and_what_differs(run):
    before = run("main", 100 + NOISE[0])
    after = run("exp", 100 + NOISE[0][:150], **{"data.limit.test": 150})
    with pytest.raises(UserError) as raised:
        judged(before, after)
    said = str(raised.value)
    assert "price: main and exp were tested on different rows: 200 and 150, 150 of them" in said
    assert "data.limit.test differ" in said


def test_the_same_ids_with_other_references_are_other_rows(run):
    before, after = run("a", NOISE[0]), run("b", NOISE[0])
    after.predictions["price"][3]["reference"] = 1e6
    with pytest.raises(UserError, match="different rows: 200 and 200, 199 of them the same"):
        judged(before, after)


def test_rows_with_one_more_reference_are_other_rows(run):
    before, after = run("a", NOISE[0]), run("b", NOISE[0])
    after.predictions["price"][3]["references"] = [3.0, 4.0]
    with pytest.raises(UserError, match="different rows: 200 and 200, 199 of them the same"):
        judged(before, after)


def test_the_same_ids_and_references_of_other_questions_are_other_rows(run):
    before, after = run("a", NOISE[0]), run("b", NOISE[0])
    for each, word in ((before, "x"), (after, "y")):
        for row in each.predictions["price"]:
            row["input_hash"] = word
    with pytest.raises(UserError, match="were tested on different rows: 200 and 200, 0 of them"):
        judged(before, after)
    # A run of an earlier version does not say what was asked.
    for row in before.predictions["price"]:
        del row["input_hash"]
    assert judged(before, after)


def test_other_scoring_rules_are_refused_by_name(run):
    before = run("a", NOISE[0])
    after = run("b", NOISE[0], **{"tasks.price.score.hit_within": 20.0})
    with pytest.raises(UserError, match=r"tasks\.price\.score\.hit_within is 40\.0 and 20\.0"):
        judged(before, after)


def test_the_rate_above_which_nothing_is_scored_is_no_scoring_rule(run):
    before = run("a", NOISE[0])
    assert judged(before, run("b", NOISE[0], **{"tasks.price.score.max_no_answer": 0.1}))


def test_runs_without_a_common_task_are_refused(run):
    before = run("a", NOISE[0])
    after = Run("b", {"tasks.samsum.kind": "summarization"}, {"samsum": "summarization"}, {})
    with pytest.raises(UserError, match="a and b have no task in common"):
        judged(before, after)


def test_only_scores_that_both_have_and_that_are_better_one_way_are_compared(run):
    before, after = run("a", 100 + NOISE[0]), run("b", 90 + NOISE[0])
    for each in (before, after):
        for row in each.predictions["price"]:
            row["outside"] = 3.0  # a share of mass, neither better nor worse
    for row in after.predictions["price"]:
        row["crps"] = 5.0  # of a run made by a later version
    scores = [each.score for each in judged(before, after)[0]]
    assert scores == ["mae", "median_error", "rmsle", "hits"]
    for row in before.predictions["price"]:
        row["crps"] = 6.0
    (rows,) = judged(before, after)
    assert [each.verdict for each in rows if each.score == "crps"] == ["better"]


def summaries(name: str, nats: float, tokens: int) -> Run:
    rows = [
        {
            "id": str(n),
            "reference": "x",
            "rouge1": 40.0,
            "rouge2": 20.0,
            "rougeL": 30.0,
            "rougeLsum_by_sentence": 30.0,
            "reference_nll": nats + n % 3,
            "reference_tokens": tokens,
        }
        for n in range(30)
    ]
    return Run(name, {}, {"chats": "summarization"}, {"chats": rows})


def test_perplexity_per_token_of_other_tokens_is_not_compared(run):
    before, same, other = (
        summaries("a", 20.0, 10), summaries("b", 10.0, 10), summaries("c", 22.0, 15),
    )  # fmt: skip
    (rows,) = judged(before, same)
    assert [each.verdict for each in rows if each.score == "perplexity"] == ["better"]
    assert incomparable_scores(before, same) == []
    (rows,) = judged(before, other)
    assert "perplexity" not in [each.score for each in rows]
    assert incomparable_scores(before, other) == ["chats perplexity"]
    configurations = [Configuration((each,)) for each in (before, same, other)]
    said = tables.comparisons(configurations[0], configurations[1:], [[], []], 0, "simple")
    assert said.count("Not compared, because tokens are not the same: chats perplexity.") == 1
    assert "perplexity" not in said.partition("a → c")[0]


def test_a_score_that_only_one_run_has_is_left_out_and_named(run):
    before, after = summaries("a", 20.0, 10), summaries("b", 20.0, 10)
    for row in after.predictions["chats"]:
        row["has_unsupported"] = 0.0
    (rows,) = judged(before, after)
    assert "unsupported_rate" not in [each.score for each in rows]
    assert (
        scores_of_one(before, after) == scores_of_one(after, before) == ["chats unsupported_rate"]
    )
    one, other = Configuration((before,)), Configuration((after,))
    assert "earlier ones" not in tables.comparisons(one, [other], [[]], 0, "simple", "validation")
    said = tables.comparisons(one, [other], [[]], 0, "simple")
    assert "and earlier ones on the same rows" in said
    assert "Not compared, because only one of the runs has it: chats unsupported_rate." in said
    assert scores_of_one(after, after) == []


def test_comparisons_in_which_no_row_differs_do_not_count_in_the_correction(run):
    before, after = run("a", 100 + NOISE[0]), run("b", 99.5 + NOISE[0] + NOISE[1] / 4)
    same = run("c", 100 + NOISE[0])
    found = judged(before, after, same)
    assert mae(found).p_adjusted == mae(found).p
    (unchanged,) = [each for each in found[1] if each.score == "mae"]
    assert (unchanged.p, unchanged.p_adjusted) == (1, 1)


def test_clusters_that_were_not_written_down_are_refused(run):
    sides = [Configuration((run(name, NOISE[0]),)) for name in "ab"]
    with pytest.raises(UserError, match="--by-cluster: predictions of price do not say which"):
        verdicts.compare(sides[0], sides[1:], OPTIONS, by_cluster=True)


def test_near_duplicates_count_as_one_where_that_is_asked(run):
    # Ten products in twenty sizes each.
    errors = np.repeat(np.random.default_rng(5).normal(0, 10, 10), 20)
    before, after = run("a", 200 + NOISE[0] / 10), run("b", 205 + NOISE[0] / 10 + errors)
    for each in (before, after):
        for number, row in enumerate(each.predictions["price"]):
            row["cluster"] = f"product {number // 20}"
    one, other = Configuration((before,)), Configuration((after,))
    by_row, by_cluster = (
        mae(verdicts.judge(verdicts.compare(one, [other], OPTIONS, clustered), OPTIONS))
        for clustered in (False, True)
    )
    assert (by_row.n, by_cluster.n) == (200, 10)
    assert by_cluster.difference.mean == pytest.approx(by_row.difference.mean)
    assert by_cluster.difference.standard_error > 3 * by_row.difference.standard_error


def test_the_same_predictions_are_asked_about_once(run):
    before, after = run("a", 100 + NOISE[0]), run("b", 98 + NOISE[0] + NOISE[1])
    alone = mae(judged(before, after))
    twice = judged(before, after, run("c", 98 + NOISE[0] + NOISE[1]))
    assert [mae([rows]).p_adjusted for rows in twice] == [alone.p_adjusted] * 2
    other = judged(before, after, run("c", 98.1 + NOISE[0] + NOISE[1]))
    assert mae(other).p_adjusted == pytest.approx(2 * alone.p_adjusted)


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_too_few_to_tell_name_no_difference_that_would_be_found(run, rows):
    found = mae(judged(run("a", np.full(rows, 100.0)), run("b", np.full(rows, 90.0))))
    assert found.verdict == "cannot be told apart"
    assert found.detail == "too few rows: all differ alike"
    assert found.detectable is None
