from fractions import Fraction

import pytest

from finetune.core.schema import Bootstrap
from finetune.scoring import summary
from finetune.tasks.math import scores
from finetune.tasks.math.options import MathScore

STRICT = MathScore(marker="####", fallback="none")
LENIENT = MathScore(marker="####", fallback="last_number")
ROW = {"id": "1", "question": "Six times seven?", "answer": "6 * 7 = 42\n#### 42"}


def read(text: str, options: MathScore = STRICT) -> str | None:
    return scores.number_text(scores.final_answer(text, options.marker, options.fallback))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("6 * 7 = 42\n#### 42", "42"),
        ("####42", "42"),
        ("####\n\n42", "42"),
        ("#### **42**", "42"),
        ("#### __42__.", "42"),
        ("#### $42", "42"),
        ("#### 42 dollars", "42"),
        ("#### €42.00", "42"),
        ("#### 42%", "42"),
        ("#### 42 %", "42"),
        ("#### 1,234", "1234"),
        ("#### $1,234,567.50", "1234567.5"),
        ("#### 1,23", "1"),  # no thousands
        ("#### 42.", "42"),
        ("#### 42.0", "42"),
        ("#### .5", "0.5"),
        ("#### 1/3", "1/3"),
        ("#### 1 1/2", "1.5"),
        ("#### 5/0", "5"),
        ("#### -5", "-5"),
        ("#### −5", "-5"),
        ("#### -$5", "-5"),
        ("#### $-5", "-5"),
        ("#### - 5", "5"),  # a list's dash
        ("#### +5", "5"),
        ("#### (5)", "5"),
        ("#### = 5", "5"),
        ("#### 5-3", "5"),
        ("#### 1\n#### 2", "1"),
        ("#### Step 1: add\n#### 2", "2"),
        ("#### ", None),
        ("#### Step 1: add", None),
        ("#### no idea, 42?", None),
        ("It is 42", None),
        ("", None),
    ],
)
def test_the_final_answer_directly_follows_the_marker(text, number):
    assert read(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"),
        (" $42.00 ", "42"),
        ("42 apples.", "42"),
        ("-1,234", "-1234"),
        ("**42**", "42"),
        ("42 red apples", "42"),
        ("42 apples and 3", None),
        ("42 of the red apples", None),
        ("x42", None),
    ],
)
def test_a_text_that_is_nothing_but_a_number_is_the_answer(text, number):
    assert read(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("It is 6 * 7 = 42, I think.", "42"),
        ("First 3, then 12-5=7", "7"),
        ("so 12-5", "5"),
        ("so it is -5 degrees", "-5"),
        ("Costs $1,200.50!", "1200.5"),
        ("#### 42 and not 43", "42"),
        ("Take x2 or B12", None),
        ("nothing", None),
    ],
)
def test_the_fallback_is_the_last_number(text, number):
    assert read(text, LENIENT) == number


def test_the_marker_is_a_choice_and_its_case_none():
    assert read("Well. the answer is: 7", MathScore(marker="The answer is", fallback="none")) == "7"
    assert read("a. 7", MathScore(marker="a.", fallback="none")) == "7"
    assert read("ab 7", MathScore(marker="a.", fallback="none")) is None


def test_rows_are_scored_by_their_number():
    predictions = [{"prediction": text} for text in ("So\n#### $42.00", "#### 43", "42 or so")]
    rows = [ROW | {"id": str(n)} for n in range(3)]
    first, *others = scores.score(rows, predictions, STRICT)
    assert first == {
        "id": "0",
        "reference": ROW["answer"],
        "prediction": "So\n#### $42.00",
        "answer": "42",
        "reference_answer": "42",
        "exact_match": 100,
        "no_answer": False,
    }
    assert [row["exact_match"] for row in others] == [0, 100]
    wrong, none = scores.score(rows[:2], [{"prediction": "#### 1"}, {"prediction": "Hm."}], STRICT)
    assert (wrong["no_answer"], none["no_answer"], none["answer"]) == (False, True, None)


def test_a_reference_ends_with_its_answer_whatever_marks_it():
    rows = [ROW | {"answer": "It is 41 + 1,\nso 42"}]
    (row,) = scores.score(rows, [{"prediction": "#### 42"}], STRICT)
    assert row["exact_match"] == 100


@pytest.mark.parametrize(
    ("answers", "index", "agreement"),
    [
        ([7, 42, 42, 7, 42], 1, 60),
        ([None, 42, None, None], 1, 25),  # who has no answer has no vote
        ([None, 7, 42, 42, 7], 1, 40),  # the first of equals
        ([None, None], 0, 0),
    ],
)
def test_the_majority_decides(answers, index, agreement):
    found = scores.majority([None if n is None else Fraction(n) for n in answers])
    assert found == (index, agreement)


def test_of_samples_the_majoritys_text_and_flags_are_scored():
    prediction = {
        "id": "1",
        "prediction": "",
        "samples": ["", "#### 41", "a #### 42", "b #### 42.0"],
        "samples_hit_length_cap": [True, True, False, True],
        "hit_length_cap": True,
        "empty": True,
    }
    (row,) = scores.score([ROW], [prediction], STRICT)
    assert (row["prediction"], row["exact_match"], row["agreement"]) == ("a #### 42", 100, 50)
    assert (row["hit_length_cap"], row["empty"], row["no_answer"]) == (False, False, False)
    assert row["sample_answers"] == [None, "41", "42", "42"]
    assert "samples" not in row


def test_agreement_is_a_metric_of_samples_alone():
    bootstrap = Bootstrap(resamples=100, confidence=0.95, seed=1)
    rows = scores.score([ROW], [{"prediction": "Hm."}], STRICT)
    metrics = summary.summary(scores.METRICS, scores.FLAGS, rows, bootstrap, {}, 1.0)
    assert (metrics["exact_match"], metrics["no_answer"], metrics["no_answer_rate"]) == (0, 1, 100)
    assert "agreement" not in metrics


def test_every_row_has_exactly_one_prediction():
    with pytest.raises(ValueError, match="zip"):
        scores.score([ROW], [], STRICT)


@pytest.mark.parametrize(
    ("fields", "groups"),
    [
        ({}, ["1 step", "0–30 words"]),
        ({"answer": "#### 3"}, ["0 steps", "0–30 words"]),
        ({"answer": "a\n\nb\n#### 3"}, ["2 steps", "0–30 words"]),
        ({"answer": "a\n" * 9 + "3", "question": "why " * 61}, ["6+ steps", "61+ words"]),
    ],
)
def test_a_row_is_grouped_by_steps_and_length(fields, groups):
    assert [grouping.group(ROW | fields)[1] for grouping in scores.GROUPINGS] == groups


@pytest.mark.parametrize("digits", [310, 5000])
def test_an_endless_number_is_no_answer(digits):
    assert scores.final_answer(f"The answer is {'1' * digits}", "####", "last_number") is None
    assert scores.final_answer(f"#### {'9' * digits}", "####", "none") is None
