"""Pretraining documents about the numbers 0 … 999: their order, distances and uses.

Each number is one token, so its spelling does not show that 97 is next to 98: the embeddings have
to learn the number line from sentences with close numbers. Every statement is true.
"""

import math
import random
from collections.abc import Callable

from synthetic.rows.products import capitalised, pick

LARGEST = 999
MIN_NUMBERS, MIN_WORDS = 20, 36

THINGS = ("plank", "rope", "table", "path", "wall", "box", "ladder", "shelf", "train", "pipe")
MEASURES = (
    ("longer", "shorter", "cm"),
    ("heavier", "lighter", "kg"),
    ("wider", "narrower", "cm"),
    ("taller", "lower", "cm"),
    ("older", "newer", "years"),
)


def number(rng: random.Random, largest: int = LARGEST) -> int:
    """A number, half of the time uniform over 0 … largest, else log-uniform."""
    if rng.random() < 0.5:
        return int(rng.random() * (largest + 1))
    return int(math.exp(rng.random() * math.log(largest + 2))) - 1


def near(rng: random.Random, centre: int, spread: int) -> int:
    """A uniform number within `spread` of the centre and within 0 … LARGEST."""
    low, high = max(0, centre - spread), min(LARGEST, centre + spread)
    return low + int(rng.random() * (high - low + 1))


def neighbourhood(value: int) -> int:
    """The distance within which numbers count as close: a tenth of the value, at least 5."""
    return max(5, value // 10)


def different(rng: random.Random, count: int) -> list[int]:
    """`count` distinct numbers in random order, from the whole range or from a neighbourhood."""
    centre = number(rng)
    is_local = rng.random() < 0.5
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        drawn[near(rng, centre, 3 * neighbourhood(centre)) if is_local else number(rng)] = None
    return list(drawn)


def listing(values: list[int]) -> str:
    """Two or more numbers in words, such as 3, 5 and 8."""
    return f"{', '.join(map(str, values[:-1]))} and {values[-1]}"


def count_up(rng: random.Random) -> str:
    """Numbers at equal distances in order, with a step of 1 more often than any other."""
    step = pick(rng, (1, 1, 1, 2, 5, 10, 20, 50, 100))
    length = 6 + int(rng.random() * 4)
    start = number(rng, LARGEST - step * length)
    if step >= 5 and rng.random() < 0.5:
        start -= start % step
    values = [start + step * index for index in range(length)]
    if rng.random() < 0.4:
        return f"counting down by {step}: {', '.join(map(str, reversed(values)))}."
    return f"counting up by {step}: {', '.join(map(str, values))}."


def neighbours(rng: random.Random) -> str:
    """The two numbers beside one."""
    value = 1 + number(rng, LARGEST - 2)
    return pick(
        rng,
        (
            f"{value} comes after {value - 1} and before {value + 1}.",
            f"the numbers next to {value} are {value - 1} and {value + 1}.",
            f"one more than {value} is {value + 1}, one less is {value - 1}.",
        ),
    )


def between(rng: random.Random) -> str:
    low = number(rng, LARGEST - 6)
    high = min(LARGEST, low + 5 + int(rng.random() * 2 * neighbourhood(low)))
    inside = sorted(rng.sample(range(low + 1, high), 2 + int(rng.random() * 3)))
    return f"between {low} and {high} lie {listing(inside)}."


def compare(rng: random.Random) -> str:
    low, high = sorted(different(rng, 2))
    return pick(
        rng,
        (
            f"{high} is greater than {low}.",
            f"{low} is smaller than {high}.",
            f"{low} is less than {high}, and {high} is more than {low}.",
            f"which is greater, {low} or {high}? It is {high}.",
            f"which is smaller, {high} or {low}? It is {low}.",
        ),
    )


def extremes(rng: random.Random) -> str:
    values = different(rng, 3 + int(rng.random() * 3))
    return f"of {listing(values)} the largest is {max(values)}, the smallest {min(values)}."


def in_order(rng: random.Random) -> str:
    values = different(rng, 4 + int(rng.random() * 4))
    if rng.random() < 0.5:
        return f"in order, {listing(values)} are {', '.join(map(str, sorted(values)))}."
    ordered = ", ".join(map(str, sorted(values, reverse=True)))
    return f"from the largest to the smallest: {ordered}."


def nearness(rng: random.Random) -> str:
    """A close number, and one that is over ten times as far away."""
    value = number(rng)
    spread = max(2, value // 25)
    close, far = near(rng, value, spread), number(rng)
    while close == value:
        close = near(rng, value, spread)
    while abs(far - value) <= 10 * spread:
        far = number(rng)
    return pick(
        rng,
        (
            f"{value} is close to {close} and far from {far}.",
            f"{close} is nearer to {value} than {far} is.",
            f"is {value} nearer to {close} or to {far}? It is nearer to {close}.",
        ),
    )


def about(rng: random.Random) -> str:
    value = number(rng)
    spread = neighbourhood(value)
    values = {near(rng, value, spread) for _ in range(4 + int(rng.random() * 4))}
    return f"about {value}: {', '.join(map(str, values))}."


def rounding(rng: random.Random) -> str:
    """To the nearest ten or hundred; a five rounds up."""
    name, unit = pick(rng, (("ten", 10), ("ten", 10), ("hundred", 100)))
    value = number(rng, LARGEST - unit // 2)
    return f"{value} to the nearest {name} is {(value + unit // 2) // unit * unit}."


def doubling(rng: random.Random) -> str:
    value = number(rng, LARGEST // 2)
    return pick(
        rng,
        (
            f"twice {value} is {2 * value}.",
            f"half of {2 * value} is {value}.",
            f"{value} and {value} make {2 * value}.",
        ),
    )


def adding(rng: random.Random) -> str:
    total, part = sorted((number(rng), number(rng)), reverse=True)
    return pick(
        rng,
        (
            f"{part} and {total - part} make {total}.",
            f"{total} less {part} is {total - part}.",
            f"from {part} to {total} it is {total - part}.",
        ),
    )


def difference(rng: random.Random) -> str:
    """Two guesses at a number, compared by their errors."""
    truth = number(rng)
    guesses = [near(rng, truth, 3 * neighbourhood(truth)) for _ in range(2)]
    better, worse = sorted(guesses, key=lambda guess: abs(guess - truth))
    if abs(better - truth) == abs(worse - truth):
        return f"the guess was {better}, the truth is {truth}: {abs(better - truth)} off."
    return f"the truth is {truth}, so the guess {better} is better than the guess {worse}."


def measure(rng: random.Random) -> str:
    low, high = sorted(different(rng, 2))
    thing = pick(rng, THINGS)
    more, less, unit = pick(rng, MEASURES)
    return pick(
        rng,
        (
            f"a {thing} of {high} {unit} is {more} than one of {low} {unit}.",
            f"a {thing} of {low} {unit} is {less} than one of {high} {unit}.",
        ),
    )


STATEMENTS: tuple[Callable[[random.Random], str], ...] = (
    count_up,
    count_up,
    neighbours,
    neighbours,
    between,
    compare,
    compare,
    extremes,
    in_order,
    nearness,
    about,
    about,
    rounding,
    doubling,
    adding,
    difference,
    measure,
)


def document(rng: random.Random) -> str:
    """True statements, as many as it takes for MIN_NUMBERS numbers and MIN_WORDS words."""
    sentences: list[str] = []
    words = numbers = 0
    while numbers < MIN_NUMBERS or words < MIN_WORDS:
        sentence = capitalised(pick(rng, STATEMENTS)(rng))
        sentences.append(sentence)
        parts = sentence.split()
        words += len(parts)
        numbers += sum(part.rstrip(".,:?").isdigit() for part in parts)
    return " ".join(sentences)
