"""Synthetic messenger dialogues with summaries.

A scene is the beats of one situation with small talk around and between them. In some scenes a
speaker first names a wrong value and corrects it later; the summary holds the corrected one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from synthetic.rows.names import NAMES, PLACES, TIMES, TOOLS, WEEKDAYS
from synthetic.rows.situations import ROLES, SITUATIONS, Situation
from synthetic.rows.situations.small_talk import (
    ACKNOWLEDGEMENTS,
    ASIDES,
    CLOSINGS,
    COMMENTS,
    CORRECTIONS,
    OPENINGS,
)

T = TypeVar("T")

OPENING_RATE = 0.7
ASIDE_RATE = 0.3
CLOSING_RATE = 0.45
CORRECTION_RATE = 0.28
ACKNOWLEDGEMENT_RATE = 0.5
# Probabilities of one and of two participants who are not part of the situation.
ONE_BYSTANDER_RATE = 0.16
TWO_BYSTANDERS_RATE = 0.04
# Everything but the closing takes at most 14 turns, so that only a closing is truncated.
MAX_TURNS = 14

_SITUATIONS = tuple(SITUATIONS.values())
_DISTRACTORS = {"name": NAMES, "when": WEEKDAYS, "where": PLACES, "hour": TIMES, "thing": TOOLS}


@dataclass(frozen=True)
class Scene:
    """A conversation with its facts and its summary.

    `facts` maps roles and slots to their final values; `withdrawn` maps a corrected slot to the
    value that was named first.
    """

    kind: str
    speakers: tuple[str, ...]
    turns: tuple[tuple[str, str], ...]
    facts: dict[str, str]
    summary: str
    withdrawn: dict[str, str] = field(default_factory=dict)


def scene(rng: Random) -> Scene:
    """Draw a scene."""
    situation = choose(rng, _SITUATIONS)
    taken: set[str] = set()
    speakers = tuple(
        _fresh(rng, NAMES, taken) for _ in range(situation.cast + _bystanders(rng, situation.cast))
    )
    facts = dict(zip(ROLES[: situation.cast], speakers, strict=False))
    for slot, values in situation.slots.items():
        facts[slot] = _fresh(rng, values, taken)
    distractors = {key: _fresh(rng, values, taken) for key, values in _DISTRACTORS.items()}

    core, withdrawn = _core_turns(rng, situation, facts, taken)
    turns = _with_small_talk(rng, core, speakers, situation.cast, distractors)
    summary = choose(rng, situation.summaries).format_map(facts)
    return Scene(
        kind=situation.kind,
        speakers=speakers,
        turns=tuple(turns[:MAX_TURNS]),
        facts=facts,
        summary=summary,
        withdrawn=withdrawn,
    )


def dialogue(scene: Scene) -> str:
    """Write the scene as a chat, one `Name: text` line a turn."""
    return "\n".join(f"{speaker}: {text}" for speaker, text in scene.turns)


def rows(rng: Random) -> Iterator[dict[str, str]]:
    """Endless rows of `dialogue` and `summary`, without repeated dialogues."""
    # Hashes, as the texts of many rows would not fit into memory.
    seen: set[int] = set()
    while True:
        drawn = scene(rng)
        text = dialogue(drawn)
        key = hash(text)
        if key not in seen:
            seen.add(key)
            yield {"dialogue": text, "summary": drawn.summary}


def choose(rng: Random, values: Sequence[T]) -> T:
    """One of the values, uniformly; a third of the time of `rng.choice`."""
    return values[int(rng.random() * len(values))]


def _fresh(rng: Random, values: Sequence[str], taken: set[str]) -> str:
    """Draw a value that is not `taken`, so that no value of a scene is ambiguous."""
    count = len(values)
    value = values[int(rng.random() * count)]
    while value in taken:
        value = values[int(rng.random() * count)]
    taken.add(value)
    return value


def _bystanders(rng: Random, cast: int) -> int:
    draw = rng.random()
    if draw < TWO_BYSTANDERS_RATE:
        return min(2, len(ROLES) - cast)
    return int(draw < TWO_BYSTANDERS_RATE + ONE_BYSTANDER_RATE)


def _core_turns(
    rng: Random, situation: Situation, facts: dict[str, str], taken: set[str]
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Write the beats and perhaps a correction; return the turns and the withdrawn value."""
    beats = situation.beats
    if rng.random() >= CORRECTION_RATE:
        lines = [choose(rng, beat.phrasings).format_map(facts) for beat in beats]
        return [(facts[beat.speaker], line) for beat, line in zip(beats, lines, strict=True)], {}

    wrong = choose(rng, situation.slips)
    slot = beats[wrong].slip
    old = _fresh(rng, situation.slots[slot], taken)
    known = facts | {slot: old}
    # The correction follows its beat at once, or any later one.
    noticed = wrong + int(rng.random() * (len(beats) - wrong))
    turns = []
    for index, beat in enumerate(beats):
        turns.append((facts[beat.speaker], choose(rng, beat.phrasings).format_map(known)))
        if index == noticed:
            known = facts
            turns += _correction(rng, facts, beats[wrong].speaker, old, facts[slot])
    return turns, {slot: old}


def _correction(
    rng: Random, facts: dict[str, str], speaker: str, old: str, new: str
) -> list[tuple[str, str]]:
    turns = [(facts[speaker], choose(rng, CORRECTIONS).format(old=old, new=new))]
    if rng.random() < ACKNOWLEDGEMENT_RATE:
        listener = "b" if speaker == "a" else "a"
        turns.append((facts[listener], choose(rng, ACKNOWLEDGEMENTS)))
    return turns


def _with_small_talk(
    rng: Random,
    core: list[tuple[str, str]],
    speakers: tuple[str, ...],
    cast: int,
    distractors: dict[str, str],
) -> list[tuple[str, str]]:
    """Put openings, asides, comments of bystanders and closings around and between the turns."""
    turns = core
    pair = (speakers[0], speakers[1])
    if rng.random() < ASIDE_RATE:
        at = _gap(rng, turns)
        turns = turns[:at] + _exchange(rng, ASIDES, _shuffled(rng, pair), distractors) + turns[at:]
    bystanders = speakers[cast:]
    for bystander, comment in zip(bystanders, rng.sample(COMMENTS, len(bystanders)), strict=True):
        at = _gap(rng, turns)
        turns = [*turns[:at], (bystander, comment.format_map(distractors)), *turns[at:]]
    if rng.random() < OPENING_RATE:
        turns = _exchange(rng, OPENINGS, _shuffled(rng, pair), distractors) + turns
    if rng.random() < CLOSING_RATE:
        # The closing must not begin with the speaker of the last turn.
        closing_pair = pair if turns[-1][0] != pair[0] else pair[::-1]
        turns = turns + _exchange(rng, CLOSINGS, closing_pair, distractors)
    return turns


def _gap(rng: Random, turns: list[tuple[str, str]]) -> int:
    """Draw a position after the first turn, for an insertion."""
    return 1 + int(rng.random() * len(turns))


def _shuffled(rng: Random, pair: tuple[str, str]) -> tuple[str, str]:
    return pair if rng.random() < 0.5 else pair[::-1]


def _exchange(
    rng: Random,
    exchanges: tuple[tuple[str, ...], ...],
    pair: tuple[str, str],
    distractors: dict[str, str],
) -> list[tuple[str, str]]:
    """An exchange of small talk between two participants."""
    values = distractors | {"q": pair[1]}
    return [
        (pair[index % 2], template.format_map(values))
        for index, template in enumerate(choose(rng, exchanges))
    ]
