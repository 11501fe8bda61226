import re
from itertools import islice
from random import Random
from statistics import mean

import pytest

from synthetic.rows.dialogues import Scene, dialogue, rows, scene
from synthetic.rows.names import NAMES
from synthetic.rows.situations import SITUATIONS, Situation


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = Random(0)
    return [scene(rng) for _ in range(3_000)]


def mentions(text: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w|:\w)", text) is not None


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def test_the_same_seed_gives_the_same_rows() -> None:
    first, again, other = (list(islice(rows(Random(seed)), 50)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_no_dialogue_is_repeated() -> None:
    dialogues = [row["dialogue"] for row in islice(rows(Random(0)), 5_000)]
    assert len(set(dialogues)) == len(dialogues)


def test_every_kind_of_situation_occurs(scenes: list[Scene]) -> None:
    assert {drawn.kind for drawn in scenes} == set(SITUATIONS)
    assert len(SITUATIONS) >= 15


def test_speakers_and_turns_are_within_bounds(scenes: list[Scene]) -> None:
    for drawn in scenes:
        assert 2 <= len(drawn.speakers) <= 4
        assert 3 <= len(drawn.turns) <= 14
        assert {speaker for speaker, _ in drawn.turns} == set(drawn.speakers)
    assert 7 <= mean(len(drawn.turns) for drawn in scenes) <= 8
    assert 70 <= mean(len(dialogue(drawn).split()) for drawn in scenes) <= 90


def test_summaries_are_one_or_two_sentences_long(scenes: list[Scene]) -> None:
    assert all(10 <= len(drawn.summary.split()) <= 30 for drawn in scenes)


def test_the_dialogue_states_every_fact(scenes: list[Scene]) -> None:
    for drawn in scenes:
        text = dialogue(drawn)
        assert all(mentions(text, value) for value in drawn.facts.values()), drawn


def test_a_correction_is_stated_after_the_mistake_and_alone_in_the_summary(
    scenes: list[Scene],
) -> None:
    corrected = [drawn for drawn in scenes if drawn.withdrawn]
    assert 0.25 <= len(corrected) / len(scenes) <= 0.31
    for drawn in corrected:
        ((slot, old),) = drawn.withdrawn.items()
        new = drawn.facts[slot]
        text = dialogue(drawn)
        assert 0 <= text.find(old) < text.rfind(new)
        assert mentions(drawn.summary, new), drawn
        assert not mentions(drawn.summary, old), drawn


def test_a_summary_needs_more_than_one_turn(scenes: list[Scene]) -> None:
    for drawn in scenes:
        used = [
            value
            for key, value in drawn.facts.items()
            if len(key) > 1 and mentions(drawn.summary, value)
        ]
        assert len(used) >= 3, drawn
        assert not any(all(mentions(text, value) for value in used) for _, text in drawn.turns)


def test_copying_a_turn_or_the_lead_does_not_give_the_summary(scenes: list[Scene]) -> None:
    for drawn in scenes:
        texts = [text for _, text in drawn.turns]
        for copied in (*texts, " ".join(texts[:3])):
            assert copied != drawn.summary
            assert not words(drawn.summary) <= words(copied)


def test_bystanders_and_distractors_stay_out_of_the_summary(scenes: list[Scene]) -> None:
    for drawn in scenes:
        named = {name for name in NAMES if mentions(drawn.summary, name)}
        assert named <= set(drawn.facts.values())


def test_no_template_field_is_left(scenes: list[Scene]) -> None:
    assert not any("{" in dialogue(drawn) + drawn.summary for drawn in scenes)


def test_the_vocabulary_is_small() -> None:
    drawn = islice(rows(Random(0)), 5_000)
    vocabulary = set().union(*(words(" ".join(row.values())) for row in drawn))
    assert len(vocabulary) <= 1_800


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_no_slot_value_contains_another(situation: Situation) -> None:
    for values in situation.slots.values():
        assert len(set(values)) == len(values)
        assert not [(x, y) for x in values for y in values if x != y and mentions(x, y)]
