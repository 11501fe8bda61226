from itertools import islice
from random import Random

import pytest

from finetune.tasks.instruction.rows import clean, peculiarities
from finetune.tasks.instruction.scores import missing_facts
from synthetic.rows.instructions import DEEDS, TEMPLATES, enumeration, rows


@pytest.fixture(scope="module")
def drawn() -> list[dict]:
    return list(islice(rows(Random(0)), 8_000))


def test_a_seed_gives_the_same_rows():
    first, again, other = (list(islice(rows(Random(seed)), 50)) for seed in (1, 1, 2))
    assert first == again != other


def test_thousands_of_rows_are_distinct(drawn):
    assert len({(row["instruction"], row.get("context")) for row in drawn}) == len(drawn)


def test_rows_are_clean_as_they_are(drawn):
    for row in drawn:
        cleaned = clean({"id": "1", **row}).model_dump(exclude_unset=True, exclude={"id"})
        assert cleaned | ({"facts": list(cleaned["facts"])} if "facts" in cleaned else {}) == row
        assert set(peculiarities(row)) <= {"with_context", "with_facts"}


def test_a_response_holds_its_facts(drawn):
    for row in drawn:
        assert missing_facts(row.get("facts", []), row["response"]) == []


def test_half_of_the_rows_have_a_context_and_most_have_facts(drawn):
    assert sum("context" in row for row in drawn) / len(drawn) == pytest.approx(0.5, abs=0.05)
    assert sum("facts" in row for row in drawn) / len(drawn) == pytest.approx(0.75, abs=0.05)


def test_a_context_says_what_the_response_needs(drawn):
    for row in drawn:
        if row["instruction"].startswith("Which person"):
            thing = row["response"].partition(" has the ")[2].rstrip(".")
            name = row["facts"][0]
            (sentence,) = [s for s in row["context"].split(". ") if s.startswith(f"{name} ")]
            assert sentence.rstrip(".").endswith(thing)
        if row["instruction"].startswith("How many"):
            assert row["context"].count(" is ") == row["response"].count(",") + 2


def test_lists_are_sorted(drawn):
    sorted_rows = [row for row in drawn if row["instruction"].startswith("List the people")]
    assert sorted_rows
    assert all(row["facts"] == sorted(row["facts"]) for row in sorted_rows)


def test_every_template_and_verb_occurs(drawn):
    assert len({row["instruction"].split()[0] for row in drawn}) == 6
    assert all(any(f" {past} " in row["response"] for row in drawn) for _, past, _ in DEEDS)
    assert len(TEMPLATES) == 8


@pytest.mark.parametrize(("items", "text"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_enumerations(items, text):
    assert enumeration(items) == text
