import pytest

from finetune.tasks.instruction import baselines
from finetune.tasks.instruction.options import InstructionScore

TRAIN = [
    {"instruction": "Say hello to Anna.", "response": "Hi."},
    {"instruction": "Where is the tent?", "context": "It is red.", "response": "There."},
    {"instruction": "Say goodbye.", "response": "Bye."},
    {"instruction": "Say farewell.", "response": "Bye."},
]
BASELINES = {baseline.name: baseline for baseline in baselines.BASELINES}


def answer(name: str, *rows: dict) -> list[str]:
    splits = {"train": TRAIN, "validation": TRAIN[:1], "test": rows}
    return list(BASELINES[name].fit(splits, InstructionScore(stemmer=True))(rows).predictions)


def test_the_most_common_response_answers_everything():
    assert answer("most_common", *[{"instruction": "x"}] * 2) == ["Bye."] * 2


def test_the_nearest_prompt_answers_with_its_response():
    rows = [{"instruction": "Greet Anna"}, {"instruction": "What", "context": "a red tent"}]
    assert answer("neighbour", *rows) == ["Hi.", "There."]


@pytest.mark.parametrize(
    ("instruction", "context", "sentence"),
    [
        ("Where is the tent?", "Anna is here. The tent is gone! Tom left.", "The tent is gone!"),
        ("Where is the tent?", "Anna is here\nThe tent is gone", "The tent is gone"),
        ("Nothing alike", "First. Second.", "First."),
        ("Say hello. Be kind.", "", "Say hello."),
        ("Say hello", "", "Say hello"),
        ("", "", ""),
    ],
)
def test_the_sentence_most_like_the_instruction_is_taken(instruction, context, sentence):
    row = {"instruction": instruction, "context": context}
    assert answer("context_sentence", row) == [sentence]


def test_no_baseline_reads_the_reference_or_is_an_oracle():
    row = {"instruction": "Say goodbye.", "response": "REFERENCE", "facts": ["REFERENCE"]}
    for name, baseline in BASELINES.items():
        assert "REFERENCE" not in answer(name, row)[0]
        assert not baseline.is_oracle


def test_somebodys_own_response_is_a_text():
    assert baselines.guess(" Hi.\r\nYou. ") == "Hi.\nYou."
    with pytest.raises(ValueError, match="response is 3, must be text"):
        baselines.guess(3)
