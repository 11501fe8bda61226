import random

import pytest

from finetune.scoring.facts import facts, unsupported

DIALOGUE = (
    "Anna: Hi Tom, see you at 5 on Mon?\nTom: make it half six, my train to Warsaw is late\n"
    "Anna: ok, tmrw I'll bring 20 euros for Matthew's gift and a dozen eggs. Xmas soon!"
)


@pytest.mark.parametrize(
    "summary",
    [
        "Anna and Tom will meet at 5 pm on Monday.",
        "Tom's train to Warsaw is late, so they meet at 17:00 or 6:30 p.m.",
        "Anna will bring 20 euros tomorrow.",
        "Anna will bring twenty euros and twelve eggs for Matt.",
        "ANNA mentions Christmas. They meet at half past six.",
        "Both will meet. However, nobody knows where. Unfortunately Anna will pay.",
        "She told him: Bring your coat. It was I who did.",
        "Anna has one gift for two friends.",
        "",
    ],
)
def test_what_the_source_holds_in_other_spellings_is_supported(summary):
    assert unsupported(summary, DIALOGUE) == []


@pytest.mark.parametrize(
    ("summary", "missing"),
    [
        ("Anna and Jerry will meet.", ["Jerry"]),
        ("Jerry will meet Anna.", ["Jerry"]),
        ("They go to New York with Anna.", ["New York"]),
        ("Anna's and Jerry's trains are late.", ["Jerry"]),
        ("They meet at 7 pm on Friday.", ["7 pm", "Friday"]),
        ("They meet at 5:45.", ["5:45"]),
        ("Anna brings 35 euros today.", ["35", "today"]),
        ("Anna brings thirty-one euros in March.", ["thirty-one", "March"]),
        ("Tom has 1,000 euros, and again 1000.", ["1,000", "1000"]),
        ("Tom, Tom, and Jerry met Jerry.", ["Jerry"]),
    ],
)
def test_what_the_source_does_not_hold_is_listed(summary, missing):
    assert unsupported(summary, DIALOGUE) == missing


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("5 pm", "17:00"), ("17:00", "at 5"), ("5pm", "5 p.m."), ("5.30", "half past five"),
        ("5:45", "quarter to six"), ("5:30 pm", "half 5"), ("17:30", "1730"), ("noon", "12"),
        ("12:00", "midday"), ("midnight", "00:00"), ("5 o'clock", "5ish"), ("at 5", "5 pm"),
        ("at 17", "5 pm"), ("7:10", "ten past seven"), ("9 am", "9"),
        ("1,000", "1000"), ("1000", "a thousand"), ("2500", "two thousand five hundred"),
        ("twenty", "20"), ("25", "twenty-five"), ("10k", "10,000"), ("12th", "12"),
        ("2.5", "2,5"), ("30 minutes", "half an hour"), ("1.5 million", "1500000"),
        ("on Tuesdays", "every tues"), ("tomorrow", "2moro"), ("tonight", "this evening"),
        ("yesterday", "last night"), ("on Wednesday", "weds"), ("in August", "aug"),
        ("his Mum", "my mother"), ("to the US", "america"), ("in New York", "NYC"),
        ("with Hellen", "Helen: hi"), ("with Samantha", "Sam: hi"), ("on YouTube", "you tube"),
        ("with Zoë", "Zoe: hi"), ("the Americans", "American"),
    ],
)  # fmt: skip
def test_facts_are_compared_by_what_they_mean(written, source):
    assert unsupported(f"They said {written} and left.", source) == []


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("5 pm", "5 am"), ("5:30", "5:45"), ("6", "5 pm"), ("17:00", "7:00"), ("200", "20"),
        ("0.5", "5"), ("Monday", "Tuesday"), ("June", "July"), ("Al", "also"),
    ],
)  # fmt: skip
def test_what_is_near_is_not_the_same(written, source):
    assert unsupported(f"They said {written} and left.", source) == [written]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Tom may march in May or in March.", ["Tom", "May", "March"]),
        ("May is warm. Working hours are long.", []),
        ("Call me! Love and kisses, Bob", ["Bob"]),
        ("Mr. Smith paid $5.", ["Smith", "5"]),
        ("He has an iPhone.", ["iPhone"]),
        ("Two of 3 went from 5 to 6 pm.", ["3", "5", "6 pm"]),
        ("They live at 5/7 and 12.5 km off.", ["5", "7", "12.5"]),
    ],
)
def test_what_counts_as_a_fact(text, found):
    assert [fact.text for fact in facts(text)] == found


@pytest.mark.parametrize("seed", range(3))
def test_any_text_is_read(seed):
    pieces = [
        "1,000", "5", ":", "30", " ", " half ", " past ", "pm", "a hundred", "k", ".", ",", "Ann",
        "'s", "’", "\n", "\u0663", "²", "K", "May", "noon", "$", "/", "dozen", "-", "É", "😀",
    ]  # fmt: skip
    draw = random.Random(seed)
    for _ in range(2000):
        text, source = ("".join(draw.choices(pieces, k=12)) for _ in range(2))
        unsupported(text, source)
        # Whatever a text says, it says it itself.
        assert unsupported(text, text) == [], text
