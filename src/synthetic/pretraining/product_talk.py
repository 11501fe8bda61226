"""Pretraining documents about products that rank them by worth without any amount.

A model learns the order of kinds, brands, materials, sizes, conditions, sets and editions, and to
recognize them in descriptions. The mapping from worth to numbers is left to fine-tuning: no
document holds a price, a currency or the task's question.
"""

import bisect
import random
from collections.abc import Callable
from typing import NamedTuple

from synthetic.rows.catalogue import (
    CATEGORIES,
    CONDITIONS,
    EDITIONS,
    MATERIALS,
    SET_WORDINGS,
    SIZES,
    TIERS,
    Kind,
    Level,
    Tier,
)
from synthetic.rows.products import (
    capitalised,
    describe,
    item,
    noiseless_price,
    pick,
    with_article,
)

# Grades of worth with their upper limits in USD, which no document mentions.
GRADES = (
    ("worthless", 4.0),
    ("trifling", 8.0),
    ("cheap", 14.0),
    ("modest", 25.0),
    ("ordinary", 42.0),
    ("middling", 70.0),
    ("decent", 115.0),
    ("valuable", 190.0),
    ("dear", 310.0),
    ("costly", 500.0),
    ("precious", 750.0),
    ("priceless", float("inf")),
)
# Ratio of worths from which on a document ranks two products.
CLEAR_RATIO = 1.25

KINDS = tuple(
    sorted((kind for each in CATEGORIES for kind in each.kinds), key=lambda kind: kind.base)
)
_BASES = [kind.base for kind in KINDS]
_SET_KINDS = tuple(kind for kind in KINDS if len(set(kind.sets)) > 1)
_SHOPPERS = ("Anna", "Ben", "Clara", "David", "Emma", "Frank", "Greta", "Henry")


class Thing(NamedTuple):
    """A short description of a product, with the worth in USD that follows from its words."""

    noun: str
    worth: float


def grade(worth: float) -> str:
    """The grade of a worth in USD."""
    return next(word for word, limit in GRADES if worth < limit)


def thing(rng: random.Random) -> Thing:
    """A kind with some of its attributes; others count as average."""
    drawn = item(rng)
    words, worth = [drawn.kind.name], drawn.kind.base
    if rng.random() < 0.6:
        words.insert(0, drawn.material)
        worth *= MATERIALS[drawn.material]
    if rng.random() < 0.6:
        words.insert(0, drawn.brand)
        worth *= drawn.tier.factor
    if rng.random() < 0.4:
        words.insert(0, pick(rng, drawn.size.wordings))
        worth *= drawn.size.factor
    if rng.random() < 0.4:
        words.insert(0, pick(rng, drawn.condition.wordings))
        worth *= drawn.condition.factor
    if rng.random() < 0.3:
        words.append(f"in the {pick(rng, drawn.edition.wordings)} edition")
        worth *= drawn.edition.factor
    return Thing(" ".join(words), worth)


def clearly_ranked(rng: random.Random, draw: Callable[[random.Random], Thing]) -> tuple[str, str]:
    """The nouns of a more expensive and a cheaper thing, at least `CLEAR_RATIO` apart."""
    while True:
        low, high = sorted((draw(rng), draw(rng)), key=lambda each: each.worth)
        if high.worth >= CLEAR_RATIO * low.worth:
            return high.noun, low.noun


def two_levels(rng: random.Random, levels: tuple[Level, ...]) -> tuple[str, str]:
    """Wordings of a level with a higher factor, and of one with a lower."""
    low, high = sorted(rng.sample(levels, 2), key=lambda level: level.factor)
    return pick(rng, high.wordings), pick(rng, low.wordings)


def two_tiers(rng: random.Random) -> tuple[Tier, Tier]:
    """A better and a worse tier."""
    low, high = sorted(rng.sample(range(len(TIERS)), 2))
    return TIERS[high], TIERS[low]


def brand_opinion(rng: random.Random) -> str:
    kind = pick(rng, KINDS)
    better, worse = two_tiers(rng)
    high, low = pick(rng, better.brands), pick(rng, worse.brands)
    peer = pick(rng, [brand for brand in better.brands if brand != high])
    return pick(
        rng,
        (
            f"{with_article(f'{high} {kind.name}')} is dearer than one by {low}.",
            f"{high} is {with_article(better.name)} brand, "
            f"{low} is {with_article(worse.name)} one.",
            f"people pay more for {high} than for {low}.",
            f"among {kind.plural}, those by {low} are cheaper than those by {high}.",
            f"{high} and {peer} are both {better.name} brands.",
            f"better than {low} and just as dear as {peer}: that is {high}.",
        ),
    )


def material_opinion(rng: random.Random) -> str:
    kind = pick(rng, KINDS)
    first, second = rng.sample(kind.materials, 2)
    low, high = sorted((first, second), key=MATERIALS.__getitem__)
    if MATERIALS[low] == MATERIALS[high]:
        return f"for {kind.plural}, {low} and {high} are worth the same."
    return pick(
        rng,
        (
            f"among {kind.plural}, {high} costs more than {low}.",
            f"{with_article(f'{low} {kind.name}')} is cheaper than one made of {high}.",
            f"{high} is a dearer material than {low}.",
            f"take {low} if you want a cheap {kind.name}, and {high} if you want a dear one.",
        ),
    )


def condition_opinion(rng: random.Random) -> str:
    kind = pick(rng, KINDS)
    high, low = two_levels(rng, CONDITIONS)
    return pick(
        rng,
        (
            f"{low} {kind.plural} sell for less than {high} ones.",
            f"{with_article(f'{high} {kind.name}')} is worth more than {with_article(low)} one.",
            f"when {with_article(kind.name)} is {low}, it is cheaper than when it is {high}.",
            f"for {with_article(kind.name)}, {high} is better than {low}.",
        ),
    )


def size_opinion(rng: random.Random) -> str:
    kind = pick(rng, KINDS)
    high, low = two_levels(rng, SIZES)
    return pick(
        rng,
        (
            f"{with_article(f'{high} {kind.name}')} costs more than {with_article(low)} one.",
            f"the {low} {kind.name} is cheaper than the {high} {kind.name}.",
            f"shoppers pay less for {low} {kind.plural} than for {high} ones.",
        ),
    )


def edition_opinion(rng: random.Random) -> str:
    kind = pick(rng, KINDS)
    high, low = two_levels(rng, EDITIONS)
    return pick(
        rng,
        (
            f"the {high} edition of {with_article(kind.name)} is dearer than the {low} edition.",
            f"the {low} edition sells for less than the {high} edition.",
            f"the {high} edition of these {kind.plural} is worth more than the {low} edition.",
        ),
    )


def set_opinion(rng: random.Random) -> str:
    kind = pick(rng, _SET_KINDS)
    low, high = sorted(rng.sample(sorted(set(kind.sets) - {1}), 2))
    wording = pick(rng, SET_WORDINGS)
    return pick(
        rng,
        (
            f"a {wording.format(high)} {kind.plural} costs more than a {wording.format(low)}.",
            f"a {wording.format(low)} {kind.plural} is worth more than a single {kind.name}.",
            f"one {kind.name} is cheaper than a {wording.format(high)}.",
        ),
    )


def ordinary(rng: random.Random) -> Thing:
    """A kind in the plural, at its base worth."""
    kind = pick(rng, KINDS)
    return Thing(kind.plural, kind.base)


def kind_opinion(rng: random.Random) -> str:
    high, low = clearly_ranked(rng, ordinary)
    return pick(
        rng,
        (
            f"{high} cost more than {low}.",
            f"{low} are cheaper than {high}.",
            f"most {high} are worth more than most {low}.",
        ),
    )


def thing_opinion(rng: random.Random) -> str:
    high, low = clearly_ranked(rng, thing)
    first, second = rng.sample((high, low), 2)
    return pick(
        rng,
        (
            f"{with_article(high)} is worth more than {with_article(low)}.",
            f"{with_article(low)} is cheaper than {with_article(high)}.",
            f"which of these is the more precious: the {first} or the {second}? The {high}.",
            f"which of these is the cheaper: the {first} or the {second}? The {low}.",
        ),
    )


def grade_opinion(rng: random.Random) -> str:
    drawn = thing(rng)
    return pick(
        rng,
        (
            f"{with_article(drawn.noun)} is {grade(drawn.worth)}.",
            f"I find {with_article(drawn.noun)} {grade(drawn.worth)}.",
            f"{grade(drawn.worth)}: {with_article(drawn.noun)}.",
        ),
    )


OPINIONS: tuple[Callable[[random.Random], str], ...] = (
    brand_opinion,
    brand_opinion,
    material_opinion,
    condition_opinion,
    size_opinion,
    edition_opinion,
    set_opinion,
    kind_opinion,
    thing_opinion,
    grade_opinion,
)


def opinions(rng: random.Random) -> str:
    """Several opinions, on one attribute or on different ones, half of the time as a dialogue."""
    count = 4 + int(rng.random() * 3)
    topic = pick(rng, OPINIONS)
    topics = [topic] * count if rng.random() < 0.4 else [pick(rng, OPINIONS) for _ in range(count)]
    sentences = [capitalised(say(rng)) for say in topics]
    if rng.random() < 0.5:
        return " ".join(sentences)
    speakers = rng.sample(_SHOPPERS, min(count, 3))
    return "\n".join(
        f"{speakers[index % len(speakers)]}: {sentence}" for index, sentence in enumerate(sentences)
    )


def ranking(rng: random.Random) -> str:
    """Lists of things by worth, neighbours at least `CLEAR_RATIO` apart."""
    lines = []
    for _ in range(2):
        drawn = sorted((thing(rng) for _ in range(6)), key=lambda each: each.worth)
        kept = drawn[:1]
        for each in drawn[1:]:
            if each.worth >= CLEAR_RATIO * kept[-1].worth:
                kept.append(each)
        nouns = [each.noun for each in kept]
        if rng.random() < 0.5:
            lines.append(f"From the cheapest to the dearest: {', '.join(nouns)}.")
        else:
            lines.append(f"From the dearest to the cheapest: {', '.join(reversed(nouns))}.")
    return "\n".join(lines)


def valuations(rng: random.Random) -> str:
    """A list of things with their grades, the form with the most information per word."""
    opening = pick(rng, ("Today on the market:", "In the shop window:", "What we saw at the fair:"))
    things = (thing(rng) for _ in range(7 + int(rng.random() * 4)))
    return "\n".join([opening, *(f"{each.noun}: {grade(each.worth)}" for each in things)])


def neighbouring_kinds(rng: random.Random, worth: float) -> tuple[Kind | None, Kind | None]:
    """Kinds with a base worth slightly below and slightly above, or None."""
    below = KINDS[: bisect.bisect(_BASES, worth / 1.1)][-6:]
    above = KINDS[bisect.bisect(_BASES, worth * 1.1) :][:6]
    return (pick(rng, below) if below else None), (pick(rng, above) if above else None)


def verdict(rng: random.Random, worth: float) -> str:
    """The grade of a worth, half of the time with a comparison with kinds."""
    graded = pick(
        rng,
        (
            f"This offer is {grade(worth)}.",
            f"Shoppers find it {grade(worth)}.",
            f"All in all it is {grade(worth)}.",
        ),
    )
    if rng.random() < 0.5:
        return graded
    low, high = neighbouring_kinds(rng, worth)
    more = f"more than {with_article(low.name)}" if low else ""
    less = f"less than {with_article(high.name)}" if high else ""
    return f"{graded} It is worth {' and '.join(part for part in (more, less) if part)}."


def advert(rng: random.Random) -> str:
    """A description as in the task, followed by a verdict."""
    drawn = item(rng)
    return f"{describe(rng, drawn)}\n\n{verdict(rng, noiseless_price(drawn))}"


def appraisal(rng: random.Random) -> str:
    """A description, followed by a verdict and its attributes in random order."""
    drawn = item(rng)
    notes = [
        f"{drawn.brand}: {drawn.tier.name}",
        f"{drawn.kind.name}: {grade(drawn.kind.base)}",
        f"size: {drawn.size.name}",
        f"made of: {drawn.material}",
        f"condition: {drawn.condition.name}",
        f"edition: {drawn.edition.name}",
        f"pieces: {drawn.quantity}",
    ]
    rng.shuffle(notes)
    lines = [verdict(rng, noiseless_price(drawn)), *notes]
    return f"{describe(rng, drawn)}\n\n{chr(10).join(lines)}"


def comparison(rng: random.Random) -> str:
    """Two descriptions, and which of the two is more expensive."""
    first, second = item(rng), item(rng)
    worths = noiseless_price(first), noiseless_price(second)
    higher = "first" if worths[0] >= worths[1] else "second"
    lower = "second" if higher == "first" else "first"
    if max(worths) < CLEAR_RATIO * min(worths):
        end = "Both are worth about the same."
    else:
        end = pick(
            rng,
            (
                f"The {higher} is worth more than the {lower}.",
                f"The {lower} is the cheaper of the two.",
                f"The {higher} is {grade(max(worths))}, the {lower} is {grade(min(worths))}.",
            ),
        )
    return f"First: {describe(rng, first)}\nSecond: {describe(rng, second)}\n\n{end}"


_FORMS = (
    *[opinions] * 2,
    ranking,
    *[valuations] * 3,
    *[advert] * 5,
    *[appraisal] * 4,
    comparison,
)


def document(rng: random.Random) -> str:
    """Opinions, rankings, valuations, adverts or a comparison, without any amount of money."""
    return pick(rng, _FORMS)(rng)
