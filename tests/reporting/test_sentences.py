import pytest

from finetune.reporting import numbers, sentences
from finetune.reporting.standings import Lead, Standing

ROUGE, MAE = numbers.first("summarization"), numbers.first("price")
# The p-value of a difference that is there.
P = 0.001
AHEAD, BEHIND, EVEN = Lead(5, 4, 6, P), Lead(-5, -6, -4, P), Lead(0.5, -0.5, 1.5, P)


def standing(key: str, score: float, role: str = "rung", rows: int = 200) -> Standing:
    return Standing(key, role, {}, score, score - 1, score + 1, rows, 200)


def plain(said: str) -> str:
    return said.replace("\N{NO-BREAK SPACE}", " ")


def verdict(measure, lead, rung_lead, base=20.0, tuned=25.0, rung=22.0) -> sentences.Verdict:
    found = sentences.verdict(
        measure,
        standing("base", base, "base"),
        standing("tuned", tuned, "tuned"),
        lead,
        standing("ridge", rung) if rung is not None else None,
        rung_lead,
        0.95,
    )
    return sentences.Verdict(found.word, plain(found.sentence))


def test_better_and_ahead_of_the_ladder():
    found = verdict(ROUGE, AHEAD, Lead(3, 2, 4, P))
    assert found.word == "better"
    assert found.sentence == (
        "Tuning made the model better: ROUGE-1 rose from 20.0 to 25.0 points, by 5.0 (95 % "
        "interval 4.0 to 6.0); the tuned model beats the best rung without a language model, "
        "ridge (22.0), by 3.0 points (2.0 to 4.0)."
    )


def test_an_error_that_falls_is_better_and_a_rung_may_still_be_ahead():
    found = verdict(MAE, AHEAD, Lead(-3, -4, -2, P), base=30.0, tuned=25.0)
    assert found.word == "better"
    assert "the mean absolute error fell from 30.00 to 25.00 USD, by 5.00" in found.sentence
    assert found.sentence.endswith(
        "but the best rung without a language model, ridge (22.00), beats the tuned model, "
        "by 3.00 USD (2.00 to 4.00)."
    )


@pytest.mark.parametrize(("measure", "verb"), [(ROUGE, "fell"), (MAE, "rose")])
def test_worse_is_said(measure, verb):
    found = verdict(measure, BEHIND, None)
    assert found.word == "worse"
    assert f"made the model worse: {measure.subject} {verb} from" in found.sentence
    assert "interval 4.0" in found.sentence  # how much worse, without a sign


def test_an_interval_that_includes_zero_decides_nothing():
    found = verdict(MAE, EVEN, EVEN)
    assert found.word == "undecided"
    assert found.sentence.startswith("No difference is shown: the mean absolute error went from")
    # The lead of an error is minus its change.
    assert "the difference, −1.50 to 0.50, includes zero;" in found.sentence
    assert "cannot be told from the best rung" in found.sentence


@pytest.mark.parametrize("lead", [Lead(1, 0, 2, P), Lead(-1, -2, 0, P), Lead(0, 0, 0, P)])
def test_an_end_at_zero_includes_zero(lead):
    assert sentences.word(lead, 0.95) == "undecided"


def test_few_rows_show_nothing_however_narrow_their_interval():
    alone = Lead(2, 2, 2, 1.0)
    assert sentences.word(alone, 0.95) == "undecided"
    found = verdict(ROUGE, alone, EVEN)
    assert found.word == "undecided"
    assert "leaves zero out, so few rows show that by chance too" in found.sentence


def test_without_rungs_or_their_rows():
    assert "no rung without a language model" in verdict(ROUGE, AHEAD, None, rung=None).sentence
    for measure, rung, said in (
        (ROUGE, 30, "is not ahead of"),
        (ROUGE, 20, "is ahead of"),
        (MAE, 30, "is ahead of"),
        (MAE, 20, "is not ahead of"),
    ):
        found = verdict(measure, AHEAD, None, rung=float(rung)).sentence
        assert said in found
        assert "without an interval" in found


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (AHEAD, "the tuned model is better, by 5.0 points (4.0 to 6.0)."),
        (BEHIND, "and is better than the tuned model, by 5.0 points (4.0 to 6.0)."),
        (EVEN, "cannot be told from it: the interval of the difference, −0.5 to 1.5, includes"),
        (None, "human has 20.0 points [19.0, 21.0]."),
    ],
)
def test_one_against_another(lead, said):
    found = plain(sentences.against(ROUGE, standing("human", 20.0), lead, "human has", 0.95))
    assert found.startswith("human has 20.0 points [19.0, 21.0]")
    assert said in found


def test_rows_are_counted_by_who_is_better():
    pairs = [(1.0, 2.0), (1.0, 3.0), (2.0, 1.0), (1.0, 1.0)]
    said = "better in 2 of 4 rows, worse in 1, and the same in 1"
    assert said in sentences.wins(pairs, higher_is_better=True)
    assert "better in 1 of 4 rows, worse in 2" in sentences.wins(pairs, higher_is_better=False)
    assert sentences.wins([], higher_is_better=True) == "No row was predicted by both models."


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(92, 97, "underconfident"), (70, 85, "overconfident"), (86, 94, "consistent with 90 %")],
)
def test_coverage_is_judged_by_its_interval(low, high, said):
    metrics = {
        "coverage_90": 88.0,
        "n": 200,
        "interval": {"coverage_90": {"low": low, "high": high}},
    }
    assert said in plain(sentences.coverage(metrics))
    assert "hold the true price in 88 % of the rows" in plain(sentences.coverage(metrics))


@pytest.mark.parametrize(("rungs", "told"), [((30.0, 40.0), True), ((30.0, 10.0), False)])
def test_a_base_below_most_rungs_is_told(rungs, told):
    found = [standing(str(score), score) for score in rungs]
    said = sentences.weak_base(standing("base", 20.0, "base"), found, higher_is_better=True)
    assert bool(said) == told
    assert not said or "worse than 2 of 2 rungs" in said[0]
    assert not sentences.weak_base(standing("base", 20.0, "base"), [], higher_is_better=True)


def test_groups_that_tuning_made_worse_are_named_with_both_scores():
    weakest = ("500+ USD", "213 USD")
    said = sentences.groups([("500+ USD", "213", "157", 7)], weakest)
    assert said.startswith("It is weakest at 500+ USD (213 USD). In these groups it is worse")
    assert said.endswith("500+ USD (213 against 157, 7 rows).")
    assert sentences.groups([], weakest).endswith("in no group worse than the base model.")
    assert sentences.groups([], None) == ""


def test_what_lies_outside_of_prices_is_told():
    assert "On average 1.50 %" in plain(sentences.coverage({"outside": 1.5}))
    assert sentences.coverage({"outside": 0.0}).startswith("None of its probability")
    assert sentences.coverage({}) == ""


@pytest.mark.parametrize(
    ("validation", "kept", "said"),
    [
        ([(10, 2.0), (20, 1.5), (30, 1.2)], 30, "still falling at the end: a longer run may help"),
        ([(10, 2.0), (20, 1.201), (30, 1.2)], 30, "levelled off since step 20"),
        ([(10, 2.0), (20, 1.5), (30, 1.9)], 20, "rose from 1.500 at step 20 to 1.900 at step 30"),
        ([(10, 2.0), (20, 1.5), (30, 1.501)], 20, "lowest at step 20 (1.500) and 1.501 at step 30"),
        ([(10, 2.0), (20, 2.0)], 20, "did not fall"),
        ([(10, 2.0)], 10, "measured once"),
        ([], None, "No curve of the validation loss"),
        ([(10, 2.0), (20, 1.5), (30, 1.9)], None, "the adapter of step 20 was kept"),
    ],
)
def test_overfitting_is_read_off_the_validation_curve(validation, kept, said):
    assert said in sentences.training({"validation_loss": validation}, kept)[0]


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (2.0, "0.000 below the validation loss: no sign"),
        (2.5, "0.500 above the validation loss: no sign"),
        (1.8, "the usual gap"),
        (1.0, "100 % of the training loss: the model fits its training rows much better"),
    ],
)
def test_the_gap_to_the_training_loss_is_told(train, said):
    # What was logged after the kept step tells nothing of its adapter.
    curves = {
        "validation_loss": [(10, 3.0), (20, 2.0)],
        "train_loss": [(5, train), (15, train), (25, 0.1)],
    }
    assert said in plain(sentences.training(curves, 20)[1])
