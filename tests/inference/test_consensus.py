import numpy as np
from rouge_score import rouge_scorer

from finetune.inference.consensus import consensus

WORDS = ["Anna", "meeting", "Tom", "6", "o'clock,", "station's", "trains", "Running", "run", "the"]


def texts(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, 12))) for _ in range(count)]


def test_the_choice_is_that_of_rouge_score():
    scorer = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=True)
    groups = [texts(6, seed) for seed in range(20)]
    expected = []
    for group in groups:
        likeness = [[scorer.score(b, a)["rouge1"].fmeasure for b in group] for a in group]
        means = (np.sum(likeness, axis=1) - np.diag(likeness)) / (len(group) - 1)
        expected.append(int(np.argmax(np.round(means, 12))))
    assert consensus(groups) == expected


def test_the_text_that_is_most_like_the_others_is_kept():
    group = ["Eva buys milk", "Tom is late again", "Tom is late", "Tom was late", ""]
    assert consensus([group]) == [2]


def test_alike_texts_count_as_often_as_they_are_there_and_the_first_is_kept():
    assert consensus([["a b c", "x y", "x y"]]) == [1]


def test_where_none_is_like_another_the_first_is_kept():
    assert consensus([["a", "b", "c"], ["", "", ""]]) == [0, 0]
