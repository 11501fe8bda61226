import json

import pytest

from finetune.core.errors import DataError
from finetune.core.schema import Prompt
from finetune.hosted import messages
from finetune.tasks.price.options import Answer, PricePrompt
from finetune.tasks.price.rows import Row as Product
from finetune.tasks.summarization.rows import Row

PROMPT = Prompt(instruction="Summarize.", cue="Summary:\n", max_tokens=99, max_completion_tokens=9)


def row(number: int, dialogue: str = "Anna: Hi.", summary: str = "Anna says hi.") -> Row:
    return Row(id=str(number), dialogue=dialogue, summary=summary)


def test_a_row_is_asked_about_with_examples_as_earlier_turns():
    assert messages.conversation(PROMPT, "Tom: Yes.", [("Anna: Hi.", "Hi.")]) == [
        {"role": "user", "content": "Summarize.\n\nAnna: Hi.\n\nSummary:"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Summarize.\n\nTom: Yes.\n\nSummary:"},
    ]


def test_training_rows_are_json_lines_of_the_same_messages():
    file = messages.training_file([row(n, f"Änna: {n}?") for n in range(12)], PROMPT)
    lines = [json.loads(line) for line in file.content.decode().splitlines()]
    assert len(lines) == file.rows == 12
    assert lines[3]["messages"] == messages.conversation(PROMPT, "Änna: 3?", answer="Anna says hi.")
    assert "Änna".encode() in file.content
    assert file.tokens == sum(messages.estimated_tokens(line["messages"]) for line in lines)
    messages.check(file, "the file")


def test_a_price_is_taught_in_the_unit_that_the_prompt_asks_for():
    prompt = PricePrompt(
        instruction="Price?", cue="₹", max_tokens=99, max_completion_tokens=9,
        answer=Answer(currency="INR", unit=100),
    )  # fmt: skip
    file = messages.training_file([Product(id="1", text="A", price=4200.0, category=None)], prompt)
    assert json.loads(file.content)["messages"][-1]["content"] == "42"


@pytest.mark.parametrize("token", ["<|im_end|>", "<|endoftext|>", "</s>", "[INST]"])
def test_rows_that_would_fail_the_job_are_left_out_and_counted(token):
    rows = [row(0, f"Anna: {token}"), row(1, summary=f"{token}!"), row(2, summary=""), row(3)]
    file = messages.training_file(rows, PROMPT)
    assert (file.rows, file.special, file.empty) == (1, 2, 1)
    assert token.encode() not in file.content


def test_angle_brackets_and_brackets_of_people_stay():
    rows = [row(0, "Anna: <3 <file> [1] |x| </b> <s3>")]
    assert messages.training_file(rows, PROMPT).rows == 1


def test_a_file_that_a_provider_would_refuse_is_refused_here(monkeypatch):
    file = messages.training_file([row(n) for n in range(9)] + [row(9, summary="")], PROMPT)
    with pytest.raises(DataError, match=r"the file: has 9 rows .* \(1 left out\), and needs 10"):
        messages.check(file, "the file")
    monkeypatch.setattr(messages, "MAX_BYTES", 10)
    monkeypatch.setattr(messages, "MIN_ROWS", 1)
    with pytest.raises(DataError, match="MB as JSON lines"):
        messages.check(file, "the file")
