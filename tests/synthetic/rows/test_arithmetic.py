import re
from collections import Counter
from itertools import islice
from random import Random

import pytest

from finetune.tasks.math.rows import clean, peculiarities
from finetune.tasks.math.scores import final_answer
from synthetic.rows.arithmetic import MAX_NUMBER, MAX_STEPS, rows

EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


@pytest.fixture(scope="module")
def drawn() -> list[dict]:
    return list(islice(rows(Random(0)), 8_000))


def test_a_seed_gives_the_same_rows():
    first, again, other = (list(islice(rows(Random(seed)), 50)) for seed in (1, 1, 2))
    assert first == again != other


def test_thousands_of_questions_are_distinct(drawn):
    assert len({row["question"] for row in drawn}) == len(drawn)


def test_rows_are_clean_as_they_are(drawn):
    for row in drawn:
        cleaned = clean({"id": "1", **row}).model_dump(exclude={"id"}, exclude_unset=True)
        assert cleaned == row
        assert list(peculiarities(row)) == []


def test_every_step_is_right_and_the_last_one_is_the_answer(drawn):
    for row in drawn:
        *steps, last = row["answer"].split("\n")
        results = []
        for step in steps:
            ((one, sign, other, result),) = EQUATION.findall(step)
            # Each number comes from the question or from the step before.
            known = {*re.findall(r"\d+", row["question"]), *results[-1:]}
            assert {one, other} <= known
            match sign:
                case "+":
                    value = int(one) + int(other)
                case "-":
                    value = int(one) - int(other)
                case "*":
                    value = int(one) * int(other)
                case _:
                    assert int(one) % int(other) == 0
                    value = int(one) // int(other)
            assert value == int(result)
            assert 0 < value <= MAX_NUMBER
            results.append(result)
        assert last == f"#### {results[-1]}"
        assert final_answer(row["answer"], "####", "none") == int(results[-1])


def test_problems_have_one_to_three_steps_about_equally_often(drawn):
    counts = Counter(row["answer"].count("\n") for row in drawn)
    assert set(counts) == set(range(1, MAX_STEPS + 1))
    assert min(counts.values()) / len(drawn) > 0.25


def test_all_four_operations_occur_and_no_answer_is_common(drawn):
    signs = Counter(sign for row in drawn for _, sign, *_ in EQUATION.findall(row["answer"]))
    assert min(signs[sign] for sign in "+-*/") / len(drawn) > 0.1
    ((_, count),) = Counter(row["answer"].split()[-1] for row in drawn).most_common(1)
    assert count / len(drawn) < 0.02


def test_a_question_ends_with_a_question(drawn):
    assert all(row["question"].endswith("?") for row in drawn)
    assert not any(re.search(r"[{}]|  ", row["question"]) for row in drawn)
