import pytest

from finetune.tasks.math import baselines, scores
from finetune.tasks.math.options import MathScore

OPTIONS = MathScore(marker="####", fallback="none")
TRAIN = [
    {"question": "How many red apples?", "answer": "3 + 4 = 7\n#### 7"},
    {"question": "How many blue pens?", "answer": "#### 1,200"},
    {"question": "How old is he?", "answer": "1200 / 1\n#### 1200.0"},
]
BASELINES = {baseline.name: baseline for baseline in baselines.BASELINES}


def answer(name: str, *questions: str) -> list[str]:
    rows = [{"question": question} for question in questions]
    splits = {"train": TRAIN, "validation": TRAIN[:1], "test": rows}
    return list(BASELINES[name].fit(splits, OPTIONS)(rows).predictions)


def test_the_most_frequent_number_answers_everything():
    assert answer("most_frequent", "a?", "b?") == ["1200", "1200"]


def test_the_nearest_question_answers_with_its_number():
    assert answer("neighbour", "Are there red apples?", "Is he old?") == ["7", "1200"]


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("He has 3 boxes of 1,250 nails. How many?", "1250"),
        ("#### 2 boxes?", "2"),
        ("How many?", ""),
    ],
)
def test_the_last_number_of_the_question(question, number):
    assert answer("last_number", question) == [number]


@pytest.mark.parametrize(
    ("value", "text"), [(42, "42"), (2.5, "2.5"), (" So\r\n#### 42 ", "So\n#### 42"), ("42", "42")]
)
def test_somebodys_own_answer_is_read_like_a_models(value, text):
    assert baselines.guess(value) == text
    assert scores.final_answer(text, "####", "none") is not None


@pytest.mark.parametrize("value", [None, True, [42]])
def test_what_is_neither_number_nor_text_is_no_answer(value):
    with pytest.raises(ValueError, match="answer is"):
        baselines.guess(value)
