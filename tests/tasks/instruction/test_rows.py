import pytest

from finetune.tasks.instruction import rows

RAW = {
    "id": 7,
    "instruction": " Who has the tent?\r\n",
    "context": "Anna has a tent. \r\nTom has a bike.",
    "response": " Anna has it.\n",
    "facts": ["Anna", " the  tent ", "", "Anna"],
}
MINIMAL = {"id": "1", "instruction": "Say hi.", "response": "Hi."}


def test_texts_are_normalized_and_facts_are_lines():
    assert rows.clean(RAW | {"place": "line 1"}) == rows.Row(
        id="7",
        instruction="Who has the tent?",
        context="Anna has a tent.\nTom has a bike.",
        response="Anna has it.",
        facts=("Anna", "the tent"),
    )


def test_the_model_reads_the_instruction_with_its_context_below():
    assert rows.clean(RAW).input == "Who has the tent?\n\nAnna has a tent.\nTom has a bike."
    assert rows.clean(RAW).completion == "Anna has it."
    assert rows.clean(MINIMAL).input == "Say hi."


@pytest.mark.parametrize("nothing", [None, "", " \n", []])
def test_what_a_row_does_not_have_is_not_written(nothing):
    context = nothing if isinstance(nothing, str) else None
    row = rows.clean(MINIMAL | {"context": context, "facts": nothing})
    assert row.model_dump(exclude_unset=True) == MINIMAL


def test_the_section_is_for_scoring_alone():
    row = rows.clean(MINIMAL | {"section": " Say hi.\r\nThen go. "})
    assert row.section == "Say hi.\nThen go."
    assert row.input == "Say hi."
    with pytest.raises(ValueError, match=r"^section is 3, must be text$"):
        rows.clean(MINIMAL | {"section": 3})


def test_facts_in_a_text_stand_one_a_line():
    assert rows.clean(MINIMAL | {"facts": "Hi\n\nthe  tent"}).facts == ("Hi", "the tent")


def test_a_row_is_read_again_as_it_was_written():
    row = rows.clean(RAW)
    assert rows.Row(**row.model_dump(mode="json", exclude_unset=True)) == row


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"instruction": None}, "instruction is missing"),
        ({"response": 3}, "response is 3, must be text"),
        ({"context": 3}, "context is 3, must be text"),
        ({"facts": 3}, "facts is 3, must be text"),
        ({"facts": ["Anna", 3]}, "fact 2 is 3, must be text"),
        ({"id": None}, "id is None, must be text or an integer"),
    ],
)
def test_a_bad_field_is_named_with_its_value(fields, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        rows.clean(RAW | fields)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, []),
        ({"instruction": "a\r\nb"}, ["carriage_returns_in_prompt"]),
        ({"context": "a\rb"}, ["carriage_returns_in_prompt", "with_context"]),
        ({"response": "Hi. "}, ["stray_blanks_around_response"]),
        ({"context": "A room."}, ["with_context"]),
        ({"facts": ["hi"]}, ["with_facts"]),
        ({"facts": ["hello"]}, ["with_facts", "facts_not_in_response"]),
        ({"facts": [""]}, []),
    ],
)
def test_peculiarities_are_counted(fields, names):
    assert list(rows.peculiarities(MINIMAL | fields)) == names
