from finetune.tasks.summarization import data_card
from finetune.tasks.summarization.rows import Row

DIALOGUE = "Ann: Is it 9:30?\nTom Lee: Yes.\n<file_gif>\nhttps://example.com: see\nAnn: Ok"


def measured(dialogue: str) -> list[float | None]:
    row = Row(id="1", dialogue=dialogue, summary="It is.")
    return [measure.of(row) for measure in data_card.CARD.measures]


def test_speakers_are_those_before_a_colon():
    assert data_card.speakers("Ann: Is it 9:30?\nTom Lee: Yes.\n<file_gif>\nAnn:") == [
        "Ann", "Tom Lee", "Ann",
    ]  # fmt: skip
    assert measured("Ann: Is it 9:30?\nTom Lee: Yes.\nAnn: Ok") == [2, 3]


def test_a_text_that_is_no_dialogue_has_none():
    assert measured("A report.\nIt says nothing of https://example.com") == [None, None]
