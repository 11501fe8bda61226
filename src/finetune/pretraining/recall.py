"""Pretraining documents that teach to look something up: facts about people, then asked again.

Nothing else in the mix asks for pointing back as often as this, and a small model learns it from
many short cases long before it would from dialogues. The facts are of the dialogues' world, the
forms are not: there is no chat here and nothing to sum up.
"""

from random import Random

from finetune.data.embedded.dialogues import choose
from finetune.data.embedded.names import (
    CITIES,
    DISHES,
    GROCERIES,
    KEY_PLACES,
    NAMES,
    PLACES,
    TIMES,
    TOOLS,
    TREATS,
    WEEKDAYS,
)

# What can be known of a person: how it is said, how it is asked, and the values it can have.
Attribute = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
Fact = tuple[str, Attribute, str]  # a name, what is known, and its value
ATTRIBUTES: tuple[Attribute, ...] = (
    (
        ("{name} has {v}.", "{name} owns {v}."),
        ("What does {name} have?", "thing of {name}:"),
        TOOLS,
    ),
    (
        ("{name} comes {v}.", "The turn of {name} is {v}."),
        ("When is {name} here?", "day of {name}:"),
        WEEKDAYS,
    ),
    (
        ("{name} is there {v}.", "The train of {name} leaves {v}."),
        ("At what time is {name} there?", "hour of {name}:"),
        TIMES,
    ),
    (
        ("{name} is {v}.", "{name} waits {v}."),
        ("Where is {name}?", "place of {name}:"),
        PLACES,
    ),
    (
        ("{name} has a house in {v}.", "{name} is from {v}."),
        ("What is the city of {name}?", "city of {name}:"),
        CITIES,
    ),
    (
        ("{name} eats {v}.", "{name} likes {v}."),
        ("What does {name} eat?", "food of {name}:"),
        DISHES,
    ),
    (
        ("{name} carries {v}.", "{name} comes with {v}."),
        ("What does {name} carry?", "gift of {name}:"),
        TREATS,
    ),
    (
        ("{name} went for {v}.", "{name} got {v}."),
        ("What did {name} get?", "list of {name}:"),
        GROCERIES,
    ),
    (
        ("{name} lost it {v}.", "It lies {v}, says {name}."),
        ("Where did {name} lose it?", "spot of {name}:"),
        KEY_PLACES,
    ),
)


def document(rng: Random) -> str:
    """Some facts in any order, a blank line, and what was said: asked, listed or told again."""
    names = rng.sample(NAMES, 2 + int(rng.random() * 3))
    kinds = rng.sample(ATTRIBUTES, 1 + int(rng.random() * 3))
    facts = [(name, kind, choose(rng, kind[2])) for name in names for kind in kinds]
    rng.shuffle(facts)
    said = [choose(rng, kind[0]).format(name=name, v=value) for name, kind, value in facts]
    rng.shuffle(facts)
    form = choose(rng, (_asked, _again, _by_name))
    return f"{' '.join(said)}\n\n{form(rng, facts)}"


def _asked(rng: Random, facts: list[Fact]) -> str:
    return " ".join(f"{choose(rng, kind[1]).format(name=name)} {v}." for name, kind, v in facts)


def _again(rng: Random, facts: list[Fact]) -> str:
    return " ".join(choose(rng, kind[0]).format(name=name, v=v) for name, kind, v in facts)


def _by_name(rng: Random, facts: list[Fact]) -> str:
    lines: dict[str, list[str]] = {}
    for name, _, value in facts:
        lines.setdefault(name, []).append(value)
    return "\n".join(f"{name}: {', '.join(values)}" for name, values in lines.items())
