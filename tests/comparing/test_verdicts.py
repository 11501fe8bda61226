import numpy as np
import pytest

from finetune.comparing import tables
from finetune.comparing.runs import Run
from finetune.comparing.verdicts import (
    changed_params,
    compare,
    incomparable_scores,
    lacking,
    scores_of_one,
)
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap

OPTIONS = Bootstrap(resamples=2000, confidence=0.95, seed=1)
NOISE = np.random.default_rng(0).normal(0, 10, size=(2, 200))


def run(name: str, errors, **params: object) -> Run:
    rows = [
        {
            "id": str(n),
            "reference": float(n),
            "prediction": float(abs(n + e)),
            "absolute_error": float(e),
            "hit": 0.0,
        }
        for n, e in enumerate(errors)
    ]
    values = {"tasks.price.kind": "price", "tasks.price.score.hit_usd": 40.0, "lora.r": 16}
    return Run(name, values | params, {"price": "price"}, {"price": rows})


def mae(found):
    return next(each for rows in found for each in rows if each.score == "mae")


def test_a_lower_error_is_better_and_a_higher_one_worse():
    before, after = run("a", 100 + NOISE[0]), run("b", 80 + NOISE[0] + NOISE[1] / 5)
    better, worse = mae(compare(before, [after], OPTIONS)), mae(compare(after, [before], OPTIONS))
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.difference.mean == pytest.approx(-20, abs=0.5)
    assert better.difference.low < better.difference.mean < better.difference.high < 0
    assert better.after == pytest.approx(better.before + better.difference.mean)
    assert better.n == 200


def test_a_difference_within_the_noise_says_how_many_rows_would_show_it():
    found = mae(compare(run("a", 100 + NOISE[0]), [run("b", 100.3 + NOISE[1])], OPTIONS))
    assert found.verdict == "cannot be told apart"
    assert found.p > 0.05
    assert found.detail.startswith("at n = 200; about n = ")
    assert found.rows_needed > 200


def test_a_run_cannot_be_told_from_itself():
    same = run("main", 100 + NOISE[0])
    for each in compare(same, [same], OPTIONS)[0]:
        assert (each.difference.mean, each.p, each.verdict) == (0, 1, "cannot be told apart")
        assert each.detail == "at n = 200"


def test_rows_are_paired_by_id_and_not_by_place():
    before = run("a", 100 + NOISE[0])
    shuffled = Run("b", before.params, before.kinds, {"price": before.predictions["price"][::-1]})
    assert mae(compare(before, [shuffled], OPTIONS)).difference.mean == 0


def test_the_more_is_compared_the_less_is_called_better():
    # A difference that is just clear when it is the only one.
    before, close = run("a", 100 + NOISE[0]), run("b", 98.5 + NOISE[0] + NOISE[1])
    alone = mae(compare(before, [close], OPTIONS))
    crowd = compare(before, [close, *[run(f"c{n}", 100 + NOISE[1]) for n in range(15)]], OPTIONS)
    assert alone.p == mae(crowd).p
    assert alone.p_holm < 15 * alone.p <= mae(crowd).p_holm or mae(crowd).p_holm == 1


def test_other_rows_are_refused_with_how_many_are_shared_and_what_differs():
    before = run("main", 100 + NOISE[0])
    after = run("exp", 100 + NOISE[0][:150], **{"data.limit.test": 150})
    with pytest.raises(UserError) as raised:
        compare(before, [after], OPTIONS)
    said = str(raised.value)
    assert "price: main and exp were tested on different rows: 200 and 150, 150 of them" in said
    assert "data.limit.test differ" in said


def test_the_same_ids_with_other_references_are_other_rows():
    before, after = run("a", NOISE[0]), run("b", NOISE[0])
    after.predictions["price"][3]["reference"] = 1e6
    with pytest.raises(UserError, match="different rows: 200 and 200, 199 of them the same"):
        compare(before, [after], OPTIONS)


def test_rows_with_one_more_reference_are_other_rows():
    before, after = run("a", NOISE[0]), run("b", NOISE[0])
    after.predictions["price"][3]["references"] = [3.0, 4.0]
    with pytest.raises(UserError, match="different rows: 200 and 200, 199 of them the same"):
        compare(before, [after], OPTIONS)


def test_the_same_ids_and_references_of_other_questions_are_other_rows():
    before, after = run("a", NOISE[0]), run("b", NOISE[0])
    for each, word in ((before, "x"), (after, "y")):
        for row in each.predictions["price"]:
            row["input_hash"] = word
    with pytest.raises(UserError, match="were tested on different rows: 200 and 200, 0 of them"):
        compare(before, [after], OPTIONS)
    # A run of an earlier version does not say what was asked.
    for row in before.predictions["price"]:
        del row["input_hash"]
    assert compare(before, [after], OPTIONS)


def test_other_scoring_rules_are_refused_by_name():
    before = run("a", NOISE[0])
    after = run("b", NOISE[0], **{"tasks.price.score.hit_usd": 20.0})
    with pytest.raises(UserError, match=r"tasks\.price\.score\.hit_usd is 40\.0 and 20\.0"):
        compare(before, [after], OPTIONS)


def test_the_rate_above_which_nothing_is_scored_is_no_scoring_rule():
    before = run("a", NOISE[0])
    assert compare(
        before, [run("b", NOISE[0], **{"tasks.price.score.max_no_answer": 0.1})], OPTIONS
    )


def test_too_few_draws_to_find_anything_are_refused():
    few = OPTIONS.model_copy(update={"resamples": 100})
    with pytest.raises(UserError, match=r"resamples: 100 are too few .* in 8 comparisons at 0\.95"):
        compare(run("a", NOISE[0]), [run("b", NOISE[1]), run("c", NOISE[1])], few)


def test_the_rows_needed_are_those_for_the_corrected_level():
    before, close = run("a", 100 + NOISE[0]), run("b", 100.3 + NOISE[1])
    alone = mae(compare(before, [close], OPTIONS)).rows_needed
    crowd = compare(before, [close, *[run(f"c{n}", 100 + NOISE[1]) for n in range(9)]], OPTIONS)
    assert 1.2 < mae(crowd).rows_needed / alone < 1.6


def test_a_task_that_only_one_has_is_lacking():
    before = run("a", NOISE[0])
    other = Run("b", {}, {"price": "summarization", "more": "price"}, {})
    assert lacking(before, other) == ["price"]
    assert lacking(before, before) == []


def test_runs_without_a_common_task_are_refused():
    before = run("a", NOISE[0])
    after = Run("b", {"tasks.samsum.kind": "summarization"}, {"samsum": "summarization"}, {})
    with pytest.raises(UserError, match="a and b have no task in common"):
        compare(before, [after], OPTIONS)


def test_changed_params_are_those_of_another_value_or_type():
    before = run("a", NOISE[0], x=1, only_before=2)
    after = run("b", NOISE[0], x=1.0, **{"lora.r": 64})
    assert changed_params(before, after) == {
        "lora.r": (16, 64),
        "x": (1, 1.0),
        "only_before": (2, None),
    }


def test_only_scores_that_both_have_and_that_are_better_one_way_are_compared():
    before, after = run("a", 100 + NOISE[0]), run("b", 90 + NOISE[0])
    for each in (before, after):
        for row in each.predictions["price"]:
            row["outside"] = 3.0  # a share of mass, neither better nor worse
    for row in after.predictions["price"]:
        row["crps"] = 5.0  # of a run made by a later version
    scores = [each.score for each in compare(before, [after], OPTIONS)[0]]
    assert scores == ["mae", "median_error", "rmsle", "r2", "hits"]
    for row in before.predictions["price"]:
        row["crps"] = 6.0
    (rows,) = compare(before, [after], OPTIONS)
    assert [each.verdict for each in rows if each.score == "crps"] == ["better"]


def summaries(name: str, nats: float, tokens: int) -> Run:
    rows = [
        {
            "id": str(n),
            "reference": "x",
            "rouge1": 40.0,
            "rouge2": 20.0,
            "rougeL": 30.0,
            "rougeLsum": 30.0,
            "reference_nll": nats + n % 3,
            "reference_tokens": tokens,
        }
        for n in range(30)
    ]
    return Run(name, {}, {"chats": "summarization"}, {"chats": rows})


def test_perplexity_per_token_of_other_tokens_is_not_compared():
    before, same, other = (
        summaries("a", 20.0, 10), summaries("b", 10.0, 10), summaries("c", 22.0, 15),
    )  # fmt: skip
    (rows,) = compare(before, [same], OPTIONS)
    assert [each.verdict for each in rows if each.score == "perplexity"] == ["better"]
    assert incomparable_scores(before, same) == []
    (rows,) = compare(before, [other], OPTIONS)
    assert "perplexity" not in [each.score for each in rows]
    assert incomparable_scores(before, other) == ["chats perplexity"]
    said = tables.comparisons(before, [same, other], [[], []], 0.95, "simple")
    assert said.count("Not compared, because tokens are not the same: chats perplexity.") == 1
    assert "perplexity" not in said.partition("a → c")[0]


def test_a_score_that_only_one_run_has_is_left_out_and_named():
    before, after = summaries("a", 20.0, 10), summaries("b", 20.0, 10)
    for row in after.predictions["chats"]:
        row["has_unsupported"] = 0.0
    (rows,) = compare(before, [after], OPTIONS)
    assert "unsupported_rate" not in [each.score for each in rows]
    assert (
        scores_of_one(before, after) == scores_of_one(after, before) == ["chats unsupported_rate"]
    )
    said = tables.comparisons(before, [after], [[]], 0.95, "simple")
    assert "Not compared, because only one of the runs has it: chats unsupported_rate." in said
    assert scores_of_one(after, after) == []


def test_a_difference_whose_interval_holds_zero_is_none(monkeypatch):
    monkeypatch.setattr("finetune.scoring.paired.permutation_p", lambda *_, **__: 1e-4)
    found = mae(compare(run("a", 100 + NOISE[0]), [run("b", 100 + NOISE[1])], OPTIONS))
    assert found.p_holm < 0.05
    assert found.difference.low <= 0 <= found.difference.high
    assert found.verdict == "cannot be told apart"


def test_comparisons_in_which_no_row_differs_do_not_count_in_the_correction():
    before, after = run("a", 100 + NOISE[0]), run("b", 99.5 + NOISE[0] + NOISE[1] / 4)
    (rows,) = compare(before, [after], OPTIONS)
    differing = [each for each in rows if each.score != "hits"]  # hits are 0 in all rows
    smallest = min(each.p for each in differing)
    assert min(each.p_holm for each in rows) == pytest.approx(smallest * len(differing))
    (hits,) = [each for each in rows if each.score == "hits"]
    assert (hits.p, hits.p_holm, hits.verdict) == (1, 1, "cannot be told apart")
