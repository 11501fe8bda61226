import pytest

from finetune.core.schema import Bootstrap
from finetune.reporting import sentences
from finetune.reporting.leaderboard import Lead, LeaderboardEntry
from finetune.scoring.metrics import Metric
from finetune.scoring.paired import paired_gain

ROUGE = Metric(key="r", columns=(), title="ROUGE-1", unit="points", decimals=1)
MAE = Metric(key="m", columns=(), title="mean absolute error", unit="USD", higher_is_better=False)
AHEAD, BEHIND, EVEN = Lead(5, 4, 6), Lead(-5, -6, -4), Lead(0.5, -0.5, 1.5)


def entry(key: str, score: float, role: str = "baseline") -> LeaderboardEntry:
    return LeaderboardEntry(
        key=key,
        name=key,
        role=role,
        scores={},
        score=score,
        low=score - 1,
        high=score + 1,
        rows=200,
        test_rows=200,
    )


def plain(said: str) -> str:
    return said.replace("\N{NO-BREAK SPACE}", " ")


def verdict(metric, lead, baseline_lead, base=20.0, tuned=25.0, baseline=22.0) -> sentences.Verdict:
    found = sentences.verdict(
        metric,
        entry("base", base, "base"),
        entry("tuned", tuned, "tuned"),
        lead,
        entry("ridge", baseline) if baseline is not None else None,
        baseline_lead,
        0.95,
    )
    return sentences.Verdict(found.word, plain(found.sentence))


def test_better_and_ahead_of_the_baselines():
    found = verdict(ROUGE, AHEAD, Lead(3, 2, 4))
    assert found.word == "better"
    assert found.sentence == (
        "Tuning made the model better: ROUGE-1 rose from 20.0 to 25.0 points, by 5.0 (95 % "
        "interval 4.0 to 6.0); the tuned model beats the best baseline "
        "by validation, ridge (22.0), by 3.0 points (2.0 to 4.0)."
    )


def test_an_error_that_falls_is_better_and_a_baseline_may_still_be_ahead():
    found = verdict(MAE, AHEAD, Lead(-3, -4, -2), base=30.0, tuned=25.0)
    assert found.word == "better"
    assert "the mean absolute error fell from 30.00 to 25.00 USD, by 5.00" in found.sentence
    assert found.sentence.endswith(
        "but the best baseline by validation, ridge (22.00), beats the tuned model, by 3.00 USD "
        "(2.00 to 4.00)."
    )


@pytest.mark.parametrize(("metric", "verb"), [(ROUGE, "fell"), (MAE, "rose")])
def test_worse_is_said(metric, verb):
    found = verdict(metric, BEHIND, None)
    assert found.word == "worse"
    assert f"made the model worse: {metric.subject} {verb} from" in found.sentence
    assert "interval 4.0" in found.sentence  # how much worse, without a sign


def test_an_interval_that_includes_zero_decides_nothing():
    found = verdict(MAE, EVEN, EVEN)
    assert found.word == "undecided"
    assert found.sentence.startswith("No significant difference: the mean absolute error went from")
    # The lead of an error is minus its change.
    assert "the difference, −1.50 to 0.50, includes zero;" in found.sentence
    assert "does not differ significantly from the best baseline" in found.sentence


@pytest.mark.parametrize("lead", [Lead(1, 0, 2), Lead(-1, -2, 0), Lead(0, 0, 0)])
def test_an_end_at_zero_includes_zero(lead):
    assert sentences.word(lead) == "undecided"


@pytest.mark.parametrize(("rows", "word"), [(1, "undecided"), (5, "undecided"), (6, "better")])
def test_rows_that_all_differ_alike_decide_where_there_are_enough(rows, word):
    gain = paired_gain(
        [[1.0] * rows], [[3.0] * rows], Bootstrap(resamples=100, confidence=0.95, seed=1)
    )
    lead = Lead(gain.mean, gain.low, gain.high)
    assert sentences.word(lead) == word
    found = verdict(ROUGE, lead, EVEN)
    assert found.word == word
    assert found.sentence.startswith("No significant difference") == (word == "undecided")


def test_without_baselines_or_their_rows():
    assert (
        "no baseline was scored on validation rows"
        in verdict(ROUGE, AHEAD, None, baseline=None).sentence
    )
    for metric, score, said in (
        (ROUGE, 30, "is not ahead of"),
        (ROUGE, 20, "is ahead of"),
        (MAE, 30, "is ahead of"),
        (MAE, 20, "is not ahead of"),
    ):
        found = verdict(metric, AHEAD, None, baseline=float(score)).sentence
        assert said in found
        assert "without an interval" in found


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (AHEAD, "the tuned model is better, by 5.0 points (4.0 to 6.0)."),
        (BEHIND, "and is better than the tuned model, by 5.0 points (4.0 to 6.0)."),
        (
            EVEN,
            "does not differ significantly: the interval of the difference, −0.5 to 1.5, includes",
        ),
        (None, "human has 20.0 points [19.0, 21.0]."),
    ],
)
def test_one_against_another(lead, said):
    found = plain(sentences.against(ROUGE, entry("human", 20.0), lead, "human has"))
    assert found.startswith("human has 20.0 points [19.0, 21.0]")
    assert said in found


def test_rows_are_counted_by_who_is_better():
    pairs = [(1.0, 2.0), (1.0, 3.0), (2.0, 1.0), (1.0, 1.0)]
    said = "better in 2 of 4 rows, worse in 1, and the same in 1"
    assert said in sentences.wins(pairs, ROUGE)
    assert "better in 1 of 4 rows, worse in 2" in sentences.wins(pairs, MAE)
    assert sentences.wins([], ROUGE) == "No row was answered by both models."


@pytest.mark.parametrize(("scores", "told"), [((30.0, 40.0), True), ((30.0, 10.0), False)])
def test_a_base_below_most_baselines_is_told(scores, told):
    found = [entry(str(score), score) for score in scores]
    said = sentences.weak_base(entry("base", 20.0, "base"), found, ROUGE)
    assert bool(said) == told
    assert not said or "worse than 2 of 2 baselines" in said[0]
    assert not sentences.weak_base(entry("base", 20.0, "base"), [], ROUGE)


def test_groups_that_tuning_made_worse_are_named_with_both_scores():
    weakest = ("500+ USD", "213 USD")
    said = sentences.groups([("500+ USD", "213", "157", 7)], weakest)
    assert said.startswith(
        "By groups, the tuned model is weakest at 500+ USD (213 USD). In these groups it is worse"
    )
    assert said.endswith("500+ USD (213 against 157, 7 rows).")
    assert sentences.groups([], weakest).endswith("in no group worse than the base model.")
    assert sentences.groups([], None) == ""
