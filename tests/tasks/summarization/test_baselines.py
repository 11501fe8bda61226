import itertools
import random
import warnings

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from finetune.tasks.summarization import baselines
from finetune.tasks.summarization.options import SummaryScore

DIALOGUE = (
    "Ann: Hi\n\nBob: Where have you been?\n  \nAnn: At home\nBob: Ok\nAnn: I slept all day long"
)
BASELINES = {baseline.name: baseline for baseline in baselines.BASELINES}


def on_dialogues(name: str, *dialogues: str) -> list[str]:
    rows = [{"dialogue": dialogue} for dialogue in dialogues]
    return BASELINES[name].fit({}, SummaryScore(stemmer=True))(rows).predictions


@pytest.mark.parametrize(
    ("name", "dialogue", "summary"),
    [
        ("lead1", DIALOGUE, "Ann: Hi"),
        ("lead3", DIALOGUE, "Ann: Hi Bob: Where have you been? Ann: At home"),
        ("longest3", DIALOGUE, "Bob: Where have you been? Ann: At home Ann: I slept all day long"),
        ("lead3", "A: one\nB: two", "A: one B: two"),
        ("longest3", "A: one\nB: two", "A: one B: two"),
        ("longest3", "A: a\nB: b\nA: c\nB: d", "B: b A: c B: d"),  # the last of equals
        ("lead1", "", ""),
        ("lead3", "", ""),
        ("longest3", "", ""),
    ],
)
def test_lines_of_a_dialogue_are_its_summary(name, dialogue, summary):
    assert on_dialogues(name, dialogue) == [summary]


def test_each_dialogue_has_its_own_summary_in_order():
    assert on_dialogues("lead3", "A: one", "B: two") == ["A: one", "B: two"]


def test_lexrank_takes_the_lines_that_are_most_like_the_others_in_their_order():
    # A chain of lines, each with a word of the next: those in its middle have most in common.
    lines = ["oh well", "apple juice", "juice bread", "bread cake", "cake soup", "soup please"]
    assert on_dialogues("lexrank", "\n".join(lines)) == [" ".join(lines[i] for i in (2, 3, 4))]


@pytest.mark.parametrize(
    ("dialogue", "summary"),
    [
        ("", ""),
        ("A: one", "A: one"),
        ("B: two\nA: one", "B: two A: one"),
        (":)\n:(\n!!\n...", ":) :( !!"),  # no words to compare
        (":)\nA: one\n:(\nB: two", "A: one B: two"),
        ("a b c\na b d\na c d\nb c d", "a b c a b d a c d"),  # words in all lines but one: 0/0
        ("x\nx\nx\nx", "x x x"),
    ],
)
def test_lexrank_of_a_dialogue_with_nothing_to_rank_is_its_first_lines(dialogue, summary):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert on_dialogues("lexrank", dialogue) == [summary]


def oracle(dialogue: str, summary: str, stemmer: bool = True) -> str:
    rows = [{"dialogue": dialogue, "summary": summary}]
    return BASELINES["oracle3"].fit({}, SummaryScore(stemmer=stemmer))(rows).predictions[0]


@pytest.mark.parametrize("stemmer", [True, False])
def test_the_oracle_is_the_best_of_all_choices_of_up_to_three_lines(stemmer):
    rng = random.Random(3)
    scorer = RougeScorer(["rouge1"], use_stemmer=stemmer)
    words = ["cat", "cats", "runs", "running", "dog", "dogs", "a", "the", "sleeping"]
    for _ in range(40):
        lines = [" ".join(rng.choices(words, k=rng.randint(1, 5))) for _ in range(6)]
        summary = " ".join(rng.choices(words, k=rng.randint(1, 8)))

        def f1(text: str, summary: str = summary) -> float:
            return scorer.score(summary, text)["rouge1"].fmeasure

        choices = itertools.chain(*(itertools.combinations(lines, n) for n in (1, 2, 3)))
        best = max(f1(" ".join(choice)) for choice in choices)
        assert f1(oracle("\n".join(lines), summary, stemmer)) == pytest.approx(best)


def test_the_oracle_leaves_out_what_does_not_help():
    assert oracle("Ann: Hi\nBob: yes\nTom eats\nTim reads", "Tim reads.") == "Tim reads"
    assert oracle("Ann: Hi\nBob: yes", "Tom eats.") == ""
    assert oracle("", "Tom eats.") == ""


def test_the_oracle_of_a_very_long_dialogue_tries_the_lines_that_are_best_alone(monkeypatch):
    monkeypatch.setattr(baselines, "ORACLE_LINES", 2)
    lines = ["Tom and many other words here", "Tom eats", "he eats at home and so on", "at home"]
    assert oracle("\n".join(lines), "Tom eats at home") == "Tom eats at home"


def test_the_oracle_of_several_references_is_nearest_to_one_of_them():
    row = {"dialogue": "Ann: Hi\nTom eats\nTim reads"}
    row |= {"summary": "they all eat out", "references": ["they all eat out", "Tim reads"]}
    options = SummaryScore(stemmer=True)
    assert BASELINES["oracle3"].fit({}, options)([row]).predictions == ["Tim reads"]


def test_the_oracle_alone_sees_the_reference():
    assert [baseline.name for baseline in baselines.BASELINES if baseline.is_oracle] == ["oracle3"]


def test_somebodys_summary_is_one_line_of_text():
    assert baselines.guess(" Ann  eats.\nBob reads. ") == "Ann eats. Bob reads."
    with pytest.raises(ValueError, match="summary is 3, must be text"):
        baselines.guess(3)


def test_lexrank_does_not_depend_on_rounding(monkeypatch):
    from sumy.summarizers.lex_rank import LexRankSummarizer

    exact = LexRankSummarizer.power_method
    lines = ["one two", "two three", "three four", "four five", "five one"]  # all alike
    answers = set()
    for seed in range(5):
        rng = np.random.default_rng(seed)

        def rounded(matrix, epsilon, rng=rng):
            return exact(matrix, epsilon) * (1 + 1e-15 * rng.integers(-2, 3, len(matrix)))

        monkeypatch.setattr(LexRankSummarizer, "power_method", staticmethod(rounded))
        answers |= set(on_dialogues("lexrank", "\n".join(lines)))
    assert answers == {" ".join(lines[:3])}
