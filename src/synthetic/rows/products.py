"""Products of the synthetic shop: a description in words, and a price that follows from it.

The price is the kind's base times one factor for each attribute, times exp(N(0, NOISE)). The noise
does not depend on the text, so that the smallest possible error on log price is NOISE. Draws use
`rng.random()`, which is several times faster than `rng.choice`.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple, TypeVar

from synthetic.rows.catalogue import (
    CATEGORIES,
    COLOURS,
    CONDITIONS,
    EDITIONS,
    FILLERS,
    LAYOUTS,
    MATERIALS,
    QUANTITY_EXPONENT,
    SET_WORDINGS,
    SIZE_LENGTHS,
    SIZES,
    TIERS,
    Category,
    Kind,
    Level,
    Tier,
)

NOISE = 0.15
MIN_PRICE, MAX_PRICE = 1.0, 999.0

T = TypeVar("T")


class Item(NamedTuple):
    """The attributes of a product, one entry of the catalogue each."""

    category: Category
    kind: Kind
    tier: Tier
    brand: str
    size: Level
    material: str
    condition: Level
    quantity: int
    edition: Level


@dataclass(frozen=True)
class Product:
    """An item with text and price in USD; `noiseless_price` follows from its attributes alone."""

    category: str
    kind: str
    tier: str
    brand: str
    size: str
    material: str
    condition: str
    quantity: int
    edition: str
    text: str
    noiseless_price: float
    price: float


def pick(rng: random.Random, options: Sequence[T]) -> T:
    """One of the options, uniformly."""
    return options[int(rng.random() * len(options))]


def with_article(noun: str) -> str:
    """The noun phrase with "a" or "an"; a long u as in "used" or "ukulele" takes "a"."""
    is_vowel = noun[0].lower() in "aeiou" and not noun.startswith(("used", "uku"))
    return f"{'an' if is_vowel else 'a'} {noun}"


def capitalised(sentence: str) -> str:
    """The sentence with a capital first letter and the rest (brand names) as it was."""
    return sentence[:1].upper() + sentence[1:]


def _repeated(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Each level repeated by its weight, so that `pick` draws in proportion."""
    return tuple(level for level in levels for _ in range(level.weight))


_KINDS = tuple((category, kind) for category in CATEGORIES for kind in category.kinds)
_BRANDS = tuple((tier, brand) for tier in TIERS for brand in tier.brands)
_SIZES, _CONDITIONS = _repeated(SIZES), _repeated(CONDITIONS)
_EDITIONS = _repeated(EDITIONS)
_ORDERS = {count: tuple(permutations(range(count))) for count in range(1, 5)}


def item(rng: random.Random) -> Item:
    """Draws attributes independently; only materials and quantities depend on the kind."""
    category, kind = pick(rng, _KINDS)
    tier, brand = pick(rng, _BRANDS)
    return Item(
        category=category,
        kind=kind,
        tier=tier,
        brand=brand,
        size=pick(rng, _SIZES),
        material=pick(rng, kind.materials),
        condition=pick(rng, _CONDITIONS),
        quantity=pick(rng, kind.sets),
        edition=pick(rng, _EDITIONS),
    )


def noiseless_price(thing: Item) -> float:
    """USD, from the attributes alone."""
    return (
        thing.kind.base
        * thing.tier.factor
        * thing.size.factor
        * MATERIALS[thing.material]
        * thing.condition.factor
        * thing.quantity**QUANTITY_EXPONENT
        * thing.edition.factor
    )


def describe(rng: random.Random, thing: Item) -> str:
    """A title line, then three or four sentences in any order; they state every attribute."""
    kind, quantity = thing.kind, thing.quantity
    if quantity == 1:
        noun, pack, it = kind.name, "", "it"
    else:
        noun, it = kind.plural, "the set"
        pack = f", {pick(rng, SET_WORDINGS).format(quantity)}"
    words = {
        "brand": thing.brand,
        "noun": noun,
        "pack": pack,
        "it": it,
        "It": capitalised(it),
        "material": thing.material,
        "size": pick(rng, thing.size.wordings),
        "condition": pick(rng, thing.condition.wordings),
        "edition": pick(rng, thing.edition.wordings),
        "feature": pick(rng, thing.category.features),
        "colour": pick(rng, COLOURS),
        # Within 10 % of the length of the size: a distractor, which adds no information.
        "length": round(kind.length * SIZE_LENGTHS[thing.size.name] * (0.9 + 0.2 * rng.random())),
    }
    titles, groups = pick(rng, LAYOUTS)
    sentences = [pick(rng, group) for group in groups]
    # A layout of two sentences always gets a third, so that the length carries no information.
    if len(groups) == 2 or rng.random() < 0.4:
        sentences.append(pick(rng, FILLERS))
    order = pick(rng, _ORDERS[len(sentences)])
    body = " ".join([sentences[index] for index in order])
    return f"{capitalised(pick(rng, titles).format_map(words))}\n{body.format_map(words)}"


def product(rng: random.Random) -> Product:
    """Draws until a price lies within MIN_PRICE … MAX_PRICE."""
    while True:
        thing = item(rng)
        noiseless = noiseless_price(thing)
        price = round(noiseless * rng.lognormvariate(0.0, NOISE), 2)
        if MIN_PRICE <= price <= MAX_PRICE:
            break
    return Product(
        category=thing.category.name,
        kind=thing.kind.name,
        tier=thing.tier.name,
        brand=thing.brand,
        size=thing.size.name,
        material=thing.material,
        condition=thing.condition.name,
        quantity=thing.quantity,
        edition=thing.edition.name,
        text=describe(rng, thing),
        noiseless_price=noiseless,
        price=price,
    )


def rows(rng: random.Random) -> Iterator[dict[str, str | float]]:
    """Endless rows of `text`, `price` in USD and `category`, without repeated texts."""
    # Digests need little memory over millions of rows and, unlike hash(), do not depend on the
    # process, so that a seed always gives the same rows.
    seen: set[bytes] = set()
    while True:
        drawn = product(rng)
        digest = hashlib.blake2b(drawn.text.encode(), digest_size=8).digest()
        if digest in seen:
            continue
        seen.add(digest)
        yield {"text": drawn.text, "price": drawn.price, "category": drawn.category}
