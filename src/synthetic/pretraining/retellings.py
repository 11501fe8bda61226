"""Pretraining documents: dialogues of the synthetic world, retold.

The base model has to learn to copy facts from a dialogue, but not the task itself. So the facts
are repeated as diaries, gossip, letters, notes, reminders, questions, stories and forwarded
messages, never in the words of a summary.
"""

from collections.abc import Callable
from random import Random

from synthetic.rows.dialogues import Scene, choose, dialogue, scene
from synthetic.rows.names import NAMES
from synthetic.rows.situations import ROLES, SITUATIONS

STORY_ALONE_RATE = 0.1
DIALOGUE_ALONE_RATE = 0.15
SECOND_RETELLING_RATE = 0.5

DIARY_OPENINGS = (
    "Dear diary, today I talked to {other}.",
    "What a day! I had a long chat with {other}.",
    "Today I heard from {other} again.",
    "Before I go to bed, I want to write about {other}.",
)
DIARY_CLOSINGS = (
    "I am happy about that.", "I hope that all goes well.", "Now I am tired.", "That was my day.",
)  # fmt: skip
GOSSIP_OPENINGS = (
    "Did you hear?", "Guess what I heard!", "Psst, I have news:", "You will not believe it!",
    "Have you heard about {other}?",
)  # fmt: skip
GOSSIP_CLOSINGS = (
    "But do not tell anybody!", "That is what I heard.", "I know it from a friend.",
    "Is that not funny?",
)  # fmt: skip
LETTER_OPENINGS = (
    "Dear {reader},\nhow are you? I am well.",
    "Dear {reader},\nthank you for your letter.",
    "Hello {reader},\nI have some news for you.",
)
LETTER_CLOSINGS = ("Love, {writer}", "Yours, {writer}", "Many greetings, {writer}")
STORY_OPENINGS = (
    "{speakers} had a chat.",
    "This is the story of {speakers}.",
    "One day {speakers} wrote to each other.",
    "It began like this with {speakers}.",
)
STORY_LINKS = ("Then", "After that", "So", "Next", "A little later")
REMINDERS = (
    "Remember, {name}: {todo}!",
    "{name} must not forget to {todo}.",
    "It is the job of {name} to {todo}.",
    "{name} has to {todo}.",
)
CHANGES = (
    'At first it was "{old}", but that was wrong. It is "{new}".',
    'Somebody said "{old}" before it became "{new}".',
    '"{old}" was a mistake and "{new}" is right.',
)
CHANGE_QUESTIONS = (
    'Is it "{old}"? No, "{new}".',
    'Is it "{old}" or "{new}"? In the end it is "{new}".',
    'What came in place of "{old}"? It was "{new}".',
)
QUOTE_QUESTIONS = ('Who wrote "{text}"? {name}.', 'Whose words are "{text}"? {name}\'s.')

FORWARDS = ("Forwarded to {reader}:", "{reader}, read this:", "A screenshot for {reader}:")

NOTE_LABELS = {
    "day": "when",
    "time": "what time",
    "place": "where",
    "friend": "other name",
    "often": "how often",
    "hiding": "hidden",
    "street": "moves",
    "first": "missing",
    "second": "also missing",
    "part": "first job",
    "part_c": "second job",
    "check": "job",
}


def document(rng: Random) -> str:
    """A document: a dialogue, alone or followed by retellings after blank lines, or a story."""
    drawn = scene(rng)
    draw = rng.random()
    if draw < STORY_ALONE_RATE:
        return choose(rng, (story, diary, letter))(rng, drawn)
    if draw < STORY_ALONE_RATE + DIALOGUE_ALONE_RATE:
        return dialogue(drawn)
    count = 2 if rng.random() < SECOND_RETELLING_RATE else 1
    retellings = [form(rng, drawn) for form in rng.sample(FORMS, count)]
    return "\n\n".join([dialogue(drawn), *retellings])


def diary(rng: Random, scene: Scene) -> str:
    """A diary entry of one participant."""
    teller = choose(rng, _cast(scene))
    opening = choose(rng, DIARY_OPENINGS).format(other=_somebody_else(scene, teller))
    sentences = _sentences(_clauses(scene, teller))
    return " ".join([opening, *sentences, *_change(rng, scene), choose(rng, DIARY_CLOSINGS)])


def gossip(rng: Random, scene: Scene) -> str:
    """A part of the scene, reported to somebody else."""
    clauses = _clauses(scene)
    start = int(rng.random() * (len(clauses) - 1))
    opening = choose(rng, GOSSIP_OPENINGS).format(other=scene.facts["a"])
    return " ".join(
        [opening, *_sentences(clauses[start : start + 3]), choose(rng, GOSSIP_CLOSINGS)]
    )


def letter(rng: Random, scene: Scene) -> str:
    """A letter of one participant to somebody who was not there."""
    teller = choose(rng, _cast(scene))
    reader = choose(rng, [name for name in NAMES if name not in scene.speakers])
    body = [*_sentences(_clauses(scene, teller)), *_change(rng, scene)]
    opening = choose(rng, LETTER_OPENINGS).format(reader=reader)
    closing = choose(rng, LETTER_CLOSINGS).format(writer=scene.facts[teller])
    return f"{opening} {' '.join(body)}\n{closing}"


def story(rng: Random, scene: Scene) -> str:
    """The scene in order, in the past tense."""
    *others, last = (scene.facts[role] for role in _cast(scene))
    speakers = f"{', '.join(others)} and {last}"
    opening = choose(rng, STORY_OPENINGS).format(speakers=speakers)
    first, *rest = _clauses(scene)
    linked = [f"{choose(rng, STORY_LINKS)} {clause}." for clause in rest]
    return " ".join([opening, f"First {first}.", *linked, *_change(rng, scene)])


def notes(rng: Random, scene: Scene) -> str:
    """The facts, one a line, in random order."""
    slots = list(SITUATIONS[scene.kind].slots)
    rng.shuffle(slots)
    lines = [f"{NOTE_LABELS.get(slot, slot)}: {scene.facts[slot]}" for slot in slots]
    return "\n".join([f"who: {', '.join(scene.facts[role] for role in _cast(scene))}", *lines])


def reminder(rng: Random, scene: Scene) -> str:
    """The tasks of each participant."""
    return "\n".join(
        choose(rng, REMINDERS).format(name=scene.facts[role], todo=template.format_map(scene.facts))
        for role, template in SITUATIONS[scene.kind].todos
    )


def questions(rng: Random, scene: Scene) -> str:
    """Questions about facts, about the correction if any, and about the author of a turn."""
    asked = rng.sample(SITUATIONS[scene.kind].questions, 3)
    lines = [
        f"{question.format_map(scene.facts)} {_capitalised(answer.format_map(scene.facts))}."
        for question, answer in asked
    ]
    lines += _change(rng, scene, CHANGE_QUESTIONS)
    name, text = choose(rng, scene.turns)
    lines.append(choose(rng, QUOTE_QUESTIONS).format(text=text, name=name))
    return "\n".join(lines)


def forwarded(rng: Random, scene: Scene) -> str:
    """A verbatim part of the chat, the form with the most copying from the context."""
    length = min(len(scene.turns), 2 + int(rng.random() * 4))
    start = int(rng.random() * (len(scene.turns) - length + 1))
    reader = choose(rng, [name for name in NAMES if name not in scene.speakers])
    quoted = [f"> {name}: {text}" for name, text in scene.turns[start : start + length]]
    return "\n".join([choose(rng, FORWARDS).format(reader=reader), *quoted])


FORMS: tuple[Callable[[Random, Scene], str], ...] = (
    diary,
    gossip,
    letter,
    story,
    notes,
    reminder,
    questions,
    forwarded,
    forwarded,
)


def _cast(scene: Scene) -> tuple[str, ...]:
    """The roles of the scene, without bystanders."""
    return ROLES[: SITUATIONS[scene.kind].cast]


def _somebody_else(scene: Scene, role: str) -> str:
    return scene.facts["b" if role == "a" else "a"]


def _clauses(scene: Scene, teller: str | None = None) -> list[str]:
    """The beats as clauses in the past tense, `teller` in the first person."""
    words = dict(scene.facts)
    for role in _cast(scene):
        name = scene.facts[role]
        first_person = role == teller
        words[role] = "I" if first_person else name
        words[f"{role}_me"] = "me" if first_person else name
        words[f"{role}_my"] = "my" if first_person else f"{name}'s"
    return [beat.clause.format_map(words) for beat in SITUATIONS[scene.kind].beats]


def _sentences(clauses: list[str]) -> list[str]:
    return [f"{clause}." for clause in clauses]


def _change(rng: Random, scene: Scene, templates: tuple[str, ...] = CHANGES) -> list[str]:
    """A sentence on the correction, if there was one."""
    return [
        choose(rng, templates).format(old=old, new=scene.facts[slot])
        for slot, old in scene.withdrawn.items()
    ]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
