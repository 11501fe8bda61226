import pytest

from finetune.core.schema import Prompt
from finetune.tasks.math import rows
from finetune.tasks.math.options import MathPrompt

RAW = {
    "id": 3,
    "question": " Tom has 2 boxes\r\nof 3 eggs. How many? ",
    "answer": "He has 2*3=<<2*3=6>>6 eggs. \r\n#### 6\n",
}
MINIMAL = {"id": "1", "question": "1 + 1?", "answer": "It is 2.\n#### 2"}
SIZES = {"instruction": "Go.", "cue": "", "max_tokens": 16, "max_completion_tokens": 8}


def test_texts_are_normalized_and_keep_their_lines():
    row = rows.clean(RAW | {"place": "line 1"})
    assert row == rows.Row(
        id="3",
        question="Tom has 2 boxes\nof 3 eggs. How many?",
        answer="He has 2*3=<<2*3=6>>6 eggs.\n#### 6",
    )
    assert (row.input, row.completion) == (row.question, row.answer)


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"solution": "One and one.", "answer": "2"}, "One and one.\n#### 2"),
        ({"solution": "One and one.", "answer": 2}, "One and one.\n#### 2"),
        ({"solution": "One and one.", "answer": "#### 2"}, "One and one.\n#### 2"),
        ({"solution": " ", "answer": "2"}, "2"),
        ({"solution": None, "answer": 2.5}, "2.5"),
    ],
)
def test_a_solution_of_its_own_column_stands_before_the_answer(fields, answer):
    assert rows.clean(MINIMAL | fields).answer == answer


@pytest.mark.parametrize(
    ("completion", "answer"), [("solution", "It is 2.\n#### 2"), ("answer", "#### 2")]
)
def test_a_prompt_chooses_between_the_solution_and_its_last_line(completion, answer):
    row = rows.clean(MINIMAL).for_prompt(MathPrompt(**SIZES, completion=completion))
    assert row.completion == answer
    assert row.input == "1 + 1?"


def test_a_prompt_without_the_choice_leaves_the_row():
    row = rows.clean(MINIMAL)
    assert row.for_prompt(Prompt(**SIZES)) == row


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"question": None}, "question is missing"),
        ({"answer": None}, "answer is missing"),
        ({"answer": True}, "answer is True, must be text"),
        ({"solution": 3}, "solution is 3, must be text"),
        ({"answer": "#### 2\nVoilà"}, "answer ends with 'Voilà', must end with a number"),
        ({"answer": ""}, "answer ends with '', must end with a number"),
        ({"id": None}, "id is None, must be text or an integer"),
        *(
            (
                {"answer": f"#### {number}"},
                f"answer ends with '#### {number}', must end with a number such as .*",
            )
            for number in ("12,5", "0,75 €", "1.234,50", "12 500", "2.5e3", "3/-4", "1,2345")
        ),
    ],
)
def test_a_bad_field_is_named_with_its_value(fields, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        rows.clean(MINIMAL | fields)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, []),
        ({"question": "a\r\nb"}, ["carriage_returns"]),
        ({"answer": RAW["answer"]}, ["carriage_returns", "calculator_annotations"]),
        ({"answer": "It is\n2"}, ["answer_without_marker"]),
        ({"answer": "#### 2"}, ["answer_without_solution"]),
        ({"answer": 2}, ["answer_without_marker", "answer_without_solution"]),
        ({"answer": "2", "solution": "It is 2."}, []),
    ],
)
def test_peculiarities_are_counted(fields, names):
    assert list(rows.peculiarities(MINIMAL | fields)) == names


@pytest.mark.parametrize("number", ["12.5", "-1,234.50", "1,234,567", "3/4", "1 1/2", "50 %"])
def test_numbers_that_are_clear_are_taken(number):
    answer = f"Of 1,5 and 2 500\nit is 2e3, so #### {number}"
    assert rows.clean(MINIMAL | {"answer": answer}).answer == answer


@pytest.mark.parametrize(
    ("question", "answer", "given_away"),
    [
        ("Is 1,200.0 enough?", "1200", True),
        ("Is 120 + 1 enough?", "1200", False),
        ("What is 4/8 and 1/8?", "5/8", False),
        ("What is 5/8 of 1?", "5/8", True),
        ("What is 0.5 of 1?", "1/2", True),
        ("What is half of 3?", "1 1/2", False),
    ],
)
def test_a_question_that_says_the_answer_is_seen(question, answer, given_away):
    row = rows.Row(id="1", question=question, answer=f"12 * 100\n#### {answer}")
    assert row.answer_in_input is given_away
