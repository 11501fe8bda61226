import pytest

from finetune.core.schema import Bootstrap
from finetune.scoring import summary
from finetune.tasks.instruction import scores
from finetune.tasks.instruction.options import InstructionScore

OPTIONS = InstructionScore(stemmer=True)
BOOTSTRAP = Bootstrap(resamples=100, confidence=0.95, seed=1)
PLAIN = {"id": "1", "instruction": "Say it.", "response": "the cat sat on the mat"}
WITH_FACTS = {
    "id": "2",
    "instruction": "Who?",
    "response": "Anna and Tom.",
    "facts": ["Anna", "Tom"],
}


def scored(rows: list[dict], *answers: str) -> list[dict]:
    return scores.score(rows, [{"prediction": answer} for answer in answers], OPTIONS)


def test_responses_are_scored_row_by_row():
    assert scored([PLAIN], "the cat sat") == [
        {
            "id": "1",
            "reference": "the cat sat on the mat",
            "prediction": "the cat sat",
            "rouge1": 66.6667,
            "rouge2": 57.1429,
            "rougeL": 66.6667,
            "prediction_words": 3,
            "reference_words": 6,
        }
    ]


def test_the_predictions_own_columns_stay():
    (row,) = scores.score([PLAIN], [{"id": "1", "prediction": "a", "empty": False}], OPTIONS)
    assert row["empty"] is False


@pytest.mark.parametrize(
    ("fact", "answer", "is_found"),
    [
        ("Anna", "It is Anna's.", True),
        ("Anna", "ANNA", True),
        ("Anna", "Annabel", False),
        ("art", "a party", False),
        ("12", "120 of them", False),
        ("12", "(12)", True),
        ("at 1", "at 1:30", True),
        ("the  red tent", "the red\ntent.", True),
        ("$5.00", "It costs $5.00.", True),
        ("C++", "in C++ and C", True),
        ("a.c", "abc", False),
    ],
)
def test_a_fact_is_found_as_whole_words(fact, answer, is_found):
    assert scores.missing_facts([fact], answer) == ([] if is_found else [fact])


def test_facts_count_over_the_rows_that_list_some():
    rows = scored([PLAIN, WITH_FACTS, WITH_FACTS | {"id": "3"}], "x", "tom", "Anna, Tom")
    assert [row["facts_found"] for row in rows] == [0, 50, 100]
    assert [row["missing_facts"] for row in rows] == [[], ["Anna"], []]
    metrics = summary.scores(scores.METRICS, scores.FLAGS, rows, 0.05)
    assert metrics["facts_found"] == 75
    assert scores.details(rows, BOOTSTRAP) == {"rows_with_facts": 2}


def test_rows_without_any_facts_have_no_such_metric():
    rows = scored([PLAIN], "x")
    assert "facts_found" not in summary.scores(scores.METRICS, scores.FLAGS, rows, 0.05)
    assert scores.details(rows, BOOTSTRAP) == {}


def test_an_empty_answer_finds_nothing():
    (row,) = scored([WITH_FACTS], "")
    assert (row["facts_found"], row["rouge1"]) == (0, 0)


def test_facts_come_with_an_interval_and_a_gain():
    rows = [WITH_FACTS | {"id": str(number)} for number in range(20)]
    before = scored([PLAIN, *rows], "x", *["Anna"] * 10, *["x"] * 10)
    after = scored([PLAIN, *rows], "x", *["Anna, Tom"] * 15, *["x"] * 5)
    metrics = summary.summary(scores.METRICS, scores.FLAGS, after, BOOTSTRAP, {}, 0.05)
    assert metrics["interval"]["facts_found"]["low"] < 75 == metrics["facts_found"]
    gain = summary.gain(scores.METRICS, scores.FLAGS, before, after, BOOTSTRAP, 0.05)["facts_found"]
    assert gain["low"] < gain["mean"] == 50 < gain["high"]


DOMAIN = InstructionScore(stemmer=True, domain_facts=True)
DOCUMENTED = {
    "id": "3",
    "instruction": "How does a run resume?",
    "response": "By `dvc repro`, after 10 minutes.",
    "section": "By `dvc repro`, after 10 minutes. Hydra composes it.",
}


def test_facts_of_the_domain_are_scored_where_that_is_asked_for():
    rows = [DOCUMENTED, PLAIN | {"context": "The cat is called Tom."}]
    answers = ["`dvc repro`, as Hydra and Airflow do", "It is Tom"]
    predictions = [{"prediction": answer} for answer in answers]
    one, other = scores.score(rows, predictions, DOMAIN)
    assert (one["domain_accuracy"], one["has_domain_facts"]) == (50, 1)
    assert one["missing_domain_facts"] == ["10"]
    assert one["unsupported"] == ["Airflow"]  # the section has the others
    assert one["unsupported_facts"] == pytest.approx(100 / 3, abs=1e-4)
    assert (other["unsupported"], other["asserts_facts"], other["has_domain_facts"]) == ([], 1, 0)
    metrics = summary.scores(scores.METRICS, scores.FLAGS, [one, other], 0.05)
    assert metrics["domain_accuracy"] == 50
    assert metrics["unsupported_facts"] == pytest.approx(100 / 6, abs=1e-4)
    assert scores.details([one, other], BOOTSTRAP) == {
        "rows_with_domain_facts": 1,
        "answers_that_assert_facts": 2,
    }


def test_without_the_option_nothing_of_a_metric_file_changes():
    (row,) = scores.score([DOCUMENTED], [{"prediction": "`dvc repro`"}], OPTIONS)
    assert not {"domain_accuracy", "unsupported", "unsupported_facts"} & row.keys()
    assert OPTIONS.model_dump() == {"max_no_answer": 0.05, "stemmer": True}
    assert DOMAIN.model_dump()["domain_facts"] is True
    assert InstructionScore.model_validate(DOMAIN.model_dump()) == DOMAIN


def test_domain_scores_come_with_intervals_and_gains():
    rows = [DOCUMENTED | {"id": str(number)} for number in range(20)]

    def of(*answers: str) -> list[dict]:
        return scores.score(rows, [{"prediction": answer} for answer in answers], DOMAIN)

    before = of(*["It is Airflow"] * 20)
    after = of(*["`dvc repro`, 10 minutes"] * 15, *["It is Hydra or Airflow"] * 5)
    metrics = summary.summary(scores.METRICS, scores.FLAGS, after, BOOTSTRAP, {}, 0.05)
    for key, value in {"domain_accuracy": 75, "unsupported_facts": 12.5}.items():
        assert metrics[key] == pytest.approx(value)
        assert metrics["interval"][key]["low"] < value < metrics["interval"][key]["high"]
    gain = summary.gain(scores.METRICS, scores.FLAGS, before, after, BOOTSTRAP, 0.05)
    assert gain["domain_accuracy"]["low"] < 75 == gain["domain_accuracy"]["mean"]
    assert gain["unsupported_facts"]["high"] < 0


def test_every_row_has_exactly_one_prediction():
    with pytest.raises(ValueError, match="zip"):
        scored([PLAIN])


@pytest.mark.parametrize(
    ("fields", "groups"),
    [
        ({}, ["without context", "0–25 words"]),
        ({"context": "A room. " * 13}, ["with context", "26–100 words"]),
        ({"instruction": "word " * 201}, ["without context", "201+ words"]),
    ],
)
def test_a_row_is_grouped_by_context_and_length(fields, groups):
    assert [grouping.group(PLAIN | fields)[1] for grouping in scores.GROUPINGS] == groups
