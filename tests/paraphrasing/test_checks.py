"""Paraphrases that say the same in other words are kept, all others are refused for a reason."""

import pytest

from finetune.paraphrasing import checks
from finetune.tasks.price.rows import Row as Product
from finetune.tasks.summarization.rows import Row as Dialogue

DIALOGUE = Dialogue(
    id="1",
    dialogue="Ann: Could you bring 2 chairs on Friday?\nTom: Of course, I will.",
    summary="Tom will bring chairs.",
)
PRODUCT = Product(
    id="1", text="A lamp for the desk, 30 cm high, from Acme.", price=49.0, category=None
)


@pytest.mark.parametrize(
    "text",
    [
        "Ann: On Friday, can you come with 2 chairs?\nTom: Sure, I'll do that.",
        "Ann: May I ask you to carry 2 chairs here on Friday?\nTom: Yes, gladly.",
    ],
)
def test_other_words_for_the_same_dialogue_hold(text):
    assert checks.problem(DIALOGUE, text, "dialogue", has_speakers=True) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("Ann: Hm.\nTom: No.", "much shorter or longer than its text"),
        (f"{DIALOGUE.dialogue} {'And so on. ' * 20}", "much shorter or longer than its text"),
        (DIALOGUE.dialogue.replace("will.", "will!"), "nearly its text"),
        (
            "Sue: On Friday, can you come with 2 chairs?\nTom: Sure, I'll do that.",
            "with other speakers than its text",
        ),
        (
            "On Friday, can you come with 2 chairs, Ann asks. Sure, says Tom.",
            "with other speakers than its text",
        ),
        (
            "Ann: On Friday, can you come with chairs?\nTom: Sure, I'll do that.",
            "without a name or number of its text",
        ),
        (
            "Ann: On Friday, can you come with 2 chairs at 7?\nTom: Sure, I'll do that.",
            "with a name or number that its text has not",
        ),
        (
            "Ann: On Friday, can you come with 2 chairs?\nTom: Tom will bring chairs.",
            "with the answer in it",
        ),
    ],
)
def test_what_does_not_say_the_same_is_refused(text, why):
    assert checks.problem(DIALOGUE, text, "dialogue", has_speakers=True) == why


def test_of_other_kinds_there_are_no_speakers():
    text = "From Acme comes a desk lamp whose height is 30 cm."
    assert checks.problem(PRODUCT, text, "text", has_speakers=False) is None
    priced = "From Acme comes a desk lamp whose height is 30 cm, for $49."
    assert "number" in str(checks.problem(PRODUCT, priced, "text", has_speakers=False))
