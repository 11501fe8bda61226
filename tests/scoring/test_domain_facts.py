import pytest

from finetune.scoring.domain_facts import asserted, content_words, recall, stem, unsupported

REFERENCE = (
    "A killed run resumes from its last checkpoint: `dvc repro` starts it again. Checkpoints are "
    "written every 10 minutes by Hydra.\n\n```\n$ dvc repro    # again\nsome output 99\n```"
)


def facts(answer: str, question: str = "What now?") -> tuple[list[str], list[str]]:
    found = recall(answer, REFERENCE, question)
    return found.found, found.missing


def test_code_names_numbers_and_key_words_are_facts():
    assert facts("") == ([], ["dvc repro", "10", "Hydra", "checkpoints"])
    assert facts(REFERENCE) == (["dvc repro", "10", "Hydra", "checkpoints"], [])


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Run `dvc repro`.", ["dvc repro"]),
        ("Run dvc   repro again.", ["dvc repro"]),
        ("Run dvc reproduce.", []),
        ("It takes ten minutes.", ["10"]),
        ("It takes 100 minutes.", []),
        ("HYDRA does.", ["Hydra"]),
        ("At the checkpoint.", ["checkpoints"]),
    ],
)
def test_a_fact_is_found_however_it_is_written(answer, found):
    assert facts(answer)[0] == found


def test_what_the_question_says_is_no_fact_of_the_answer():
    assert facts("", "What of `dvc repro`, Hydra, 10 and checkpoints?") == ([], [])
    assert recall("x", REFERENCE, REFERENCE).percent == 0


def test_the_percentage_is_of_all_facts():
    assert recall("Hydra", REFERENCE, "").percent == 25
    assert recall("", "nothing in it", "").percent == 0


def test_what_nothing_supports_is_named():
    answer = "Run `dvc repro --force` with Hydra and Airflow, for 10 of 12 hours."
    assert asserted(answer) == ["dvc repro --force", "Hydra", "Airflow", "10", "12"]
    assert unsupported(answer, "How?", REFERENCE) == ["dvc repro --force", "Airflow", "12"]
    assert unsupported(answer, "How with Airflow?", REFERENCE) == ["dvc repro --force", "12"]
    assert unsupported(answer, answer) == []
    assert unsupported("", REFERENCE) == []


@pytest.mark.parametrize(
    "text", ["`|` and `-` and ``", "- Items begin so\n- Others too", "Cells | Others\nmore | All"]
)
def test_marks_of_lists_and_tables_are_no_facts(text):
    assert asserted(text) == []


def test_content_words_say_what_a_text_is_about():
    assert content_words("How does the pipeline take its Data? 你好") == [
        "pipeline",
        "data",
        "你",
        "好",
    ]


@pytest.mark.parametrize(
    ("one", "other"), [("resumes", "resumed"), ("entry", "entries"), ("run", "runs"), ("as", "as")]
)
def test_inflected_words_are_one(one, other):
    assert stem(one) == stem(other)


@pytest.mark.parametrize("part", ["`", "```\n", "$ ", " | ", "A", " ", "\n", "\n ", "- ", "1. "])
def test_the_time_grows_with_the_length_alone(part):
    # In the square of it, these would take minutes.
    text = part * 20_000
    recall(text, text, text)
