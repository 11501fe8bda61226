"""Instructions of a small world: who has what, when one meets, what to buy, and plain rewriting.

About half of them come with a context. An instruction whose answer must contain certain words lists
them as facts; a rewritten sentence has none.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from synthetic.rows.names import CITIES, DISHES, GROCERIES, NAMES, PLACES, TIMES, TOOLS, WEEKDAYS

Row = dict[str, Any]

# Present and past of what people do, and with what.
DEEDS = (
    ("buys", "bought", GROCERIES),
    ("sells", "sold", TOOLS),
    ("cooks", "cooked", DISHES),
    ("finds", "found", TOOLS),
    ("brings", "brought", DISHES),
    ("takes", "took", TOOLS),
)
NUMBERS = ("zero", "one", "two", "three", "four", "five")


def rows(rng: Random) -> Iterator[Row]:
    """Endless rows of `instruction` and `response`, some with `context` and `facts`.

    No instruction comes twice with the same context.
    """
    seen: set[bytes] = set()
    while True:
        row = rng.choice(TEMPLATES)(rng)
        text = f"{row['instruction']}\n{row.get('context', '')}"
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        if digest not in seen:
            seen.add(digest)
            yield row


def enumeration(items: Sequence[str]) -> str:
    """`milk`, `milk and eggs`, `milk, eggs and rice`."""
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _bare(noun: str) -> str:
    """A noun without its article."""
    return noun.partition(" ")[2]


def _people(rng: Random) -> tuple[list[str], list[str], str]:
    """Two to five people, what each has, and the text that says so."""
    count = rng.randint(2, 5)
    names, things = rng.sample(NAMES, count), rng.sample(TOOLS, count)
    places = rng.sample(PLACES, count)
    text = " ".join(
        f"{name} is {place} and has {thing}."
        for name, thing, place in zip(names, things, places, strict=True)
    )
    return names, things, text


def _who_has(rng: Random) -> Row:
    names, things, text = _people(rng)
    name, thing = rng.choice(list(zip(names, things, strict=True)))
    return {
        "instruction": f"Which person has the {_bare(thing)}?",
        "context": text,
        "response": f"{name} has the {_bare(thing)}.",
        "facts": [name],
    }


def _list_people(rng: Random) -> Row:
    names, _, text = _people(rng)
    return {
        "instruction": "List the people in the text in alphabetical order.",
        "context": text,
        "response": f"{enumeration(sorted(names))}.",
        "facts": sorted(names),
    }


def _count_people(rng: Random) -> Row:
    names, _, text = _people(rng)
    number = NUMBERS[len(names)]
    return {
        "instruction": "How many people are in the text?",
        "context": text,
        "response": f"There are {number} people: {enumeration(names)}.",
        "facts": [number],
    }


def _when(rng: Random) -> Row:
    first, second = rng.sample(NAMES, 2)
    day, hour, place = rng.choice(WEEKDAYS), rng.choice(TIMES), rng.choice(PLACES)
    text = f"{first} wrote to {second}. They will meet {place} {day}. {second} will come {hour}."
    return {
        "instruction": f"Tell in one sentence when and where {first} and {second} meet.",
        "context": text,
        "response": f"{first} and {second} meet {place} {day} {hour}.",
        "facts": [place, day, hour],
    }


def _sort_groceries(rng: Random) -> Row:
    items = rng.sample(GROCERIES, rng.randint(3, 6))
    return {
        "instruction": f"List these in alphabetical order: {', '.join(items)}.",
        "response": f"{_capital(enumeration(sorted(items)))}.",
        "facts": items,
    }


def _not_to_eat(rng: Random) -> Row:
    tool, city = rng.choice(TOOLS), rng.choice(CITIES)
    items = [*rng.sample(DISHES, rng.randint(2, 3)), tool]
    rng.shuffle(items)
    return {
        "instruction": f"Which of these from {city} can nobody eat: {', '.join(items)}?",
        "response": f"Nobody can eat {tool}.",
        "facts": [_bare(tool)],
    }


def _past(rng: Random) -> Row:
    present, past, things = rng.choice(DEEDS)
    name, thing, place = rng.choice(NAMES), rng.choice(things), rng.choice(PLACES)
    return {
        "instruction": (
            f"Rewrite this sentence in the past tense: {name} {present} {thing} {place}."
        ),
        "response": f"{name} {past} {thing} {place}.",
    }


def _invitation(rng: Random) -> Row:
    name, day, hour = rng.choice(NAMES), rng.choice(WEEKDAYS), rng.choice(TIMES)
    place = rng.choice(PLACES)
    return {
        "instruction": f"Write one sentence that invites {name} to meet {place} {day} {hour}.",
        "response": f"{name}, would you like to meet {place} {day} {hour}?",
    }


TEMPLATES: tuple[Callable[[Random], Row], ...] = (
    _who_has, _list_people, _count_people, _when, _sort_groceries, _not_to_eat, _past, _invitation,
)  # fmt: skip
