import re
from collections.abc import Callable
from random import Random

import pytest

from synthetic.pretraining.retellings import (
    FORMS,
    diary,
    document,
    forwarded,
    notes,
    questions,
    story,
)
from synthetic.rows.dialogues import Scene, dialogue, scene
from synthetic.rows.situations import SITUATIONS

SEEDS = range(1_500)


@pytest.fixture(scope="module")
def documents() -> list[tuple[Scene, str]]:
    """Documents with the scene that each is about: the first that its seed draws."""
    return [(scene(Random(seed)), document(Random(seed))) for seed in SEEDS]


def scene_of(kind: str, corrected: bool = False) -> Scene:
    rng = Random(0)
    drawn = scene(rng)
    while drawn.kind != kind or bool(drawn.withdrawn) != corrected:
        drawn = scene(rng)
    return drawn


def test_the_same_seed_gives_the_same_document() -> None:
    assert document(Random(1)) == document(Random(1))
    assert document(Random(1)) != document(Random(2))


def test_most_documents_are_a_dialogue_with_retellings(
    documents: list[tuple[Scene, str]],
) -> None:
    alone = sum(text == dialogue(drawn) for drawn, text in documents)
    retold = sum(text.startswith(f"{dialogue(drawn)}\n\n") for drawn, text in documents)
    assert 0.70 <= retold / len(documents) <= 0.80
    assert 0.12 <= alone / len(documents) <= 0.18


def test_no_document_holds_a_sentence_of_a_summary(documents: list[tuple[Scene, str]]) -> None:
    for drawn, text in documents:
        for template in SITUATIONS[drawn.kind].summaries:
            summary = template.format_map(drawn.facts)
            sentences = summary.removesuffix(".").split(". ")
            assert not [sentence for sentence in sentences if sentence in text]


def test_no_document_has_an_instruction_or_an_empty_field(
    documents: list[tuple[Scene, str]],
) -> None:
    for _, text in documents:
        assert not re.search(r"summar|instruction|[{}]", text, flags=re.IGNORECASE)
        assert text == text.strip()


@pytest.mark.parametrize("kind", SITUATIONS)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_can_tell_every_situation(
    form: Callable[[Random, Scene], str], kind: str
) -> None:
    drawn = scene_of(kind)
    text = form(Random(0), drawn)
    assert any(value in text for value in drawn.facts.values())
    assert "{" not in text


def test_a_diary_is_in_the_first_person() -> None:
    drawn = scene_of("meeting")
    teller_is_a = diary(Random(1), drawn)
    assert " I " in teller_is_a
    assert not all(speaker in teller_is_a for speaker in drawn.speakers[:2])


def test_a_story_goes_through_the_chat_in_order() -> None:
    drawn = scene_of("dinner")
    text = story(Random(0), drawn)
    places = [text.index(drawn.facts[slot]) for slot in ("day", "dish", "time", "treat")]
    assert places == sorted(places)


def test_notes_have_every_fact() -> None:
    drawn = scene_of("lift", corrected=True)
    text = notes(Random(0), drawn)
    assert all(value in text for value in drawn.facts.values())
    assert not any(f": {value}" in text for value in drawn.withdrawn.values())


def test_questions_ask_for_a_corrected_value() -> None:
    drawn = scene_of("meeting", corrected=True)
    ((slot, old),) = drawn.withdrawn.items()
    line = next(line for line in questions(Random(0), drawn).splitlines() if f'"{old}"' in line)
    assert line.endswith(f'"{drawn.facts[slot]}".')


def test_what_is_forwarded_is_a_stretch_of_the_chat_word_for_word() -> None:
    drawn = scene_of("meeting")
    for seed in range(20):
        head, *quoted = forwarded(Random(seed), drawn).splitlines()
        assert not any(speaker in head for speaker in drawn.speakers)
        stretch = "\n".join(line.removeprefix("> ") for line in quoted)
        assert stretch in dialogue(drawn)
        assert 2 <= len(quoted) <= 5
