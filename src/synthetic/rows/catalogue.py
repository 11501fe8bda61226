"""The products of the synthetic shop: kinds, attributes, wordings and factors of the price.

A price is a product of factors: `Kind.base` in USD (for a new, medium, standard one of steel by
an everyday brand) times one factor for each attribute. Where a factor has several wordings, all
are synonyms without effect on the price. Numbers are written in digits; no text mentions money.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """One value of a price-carrying attribute; `weight` is how often it is drawn, in parts."""

    name: str
    factor: float
    weight: int
    wordings: tuple[str, ...]


@dataclass(frozen=True)
class Tier:
    """Brands of one price level. A text names only the brand, so that its tier must be learned."""

    name: str
    factor: float
    brands: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A type of product; `length` in cm is that of the medium size, `sets` the quantities sold."""

    name: str
    plural: str
    base: float
    length: int
    materials: tuple[str, ...]
    sets: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Category:
    """Kinds that share features; a feature fits every kind and has no effect on the price."""

    name: str
    features: tuple[str, ...]
    kinds: tuple[Kind, ...]


TIERS = (
    Tier("budget", 0.6, ("Kipp", "Dobo", "Plenko", "Bazzo")),
    Tier("everyday", 1.0, ("Ostrel", "Corvin", "Lumeck", "Tarrow")),
    Tier("quality", 1.6, ("Elmarin", "Veltor", "Astrane", "Kestrin")),
    Tier("luxury", 2.6, ("Norvane", "Aurelis", "Valdoro", "Bellamont")),
)

MATERIALS = {
    "plastic": 0.6,
    "plywood": 0.65,
    "nylon": 0.7,
    "pine": 0.8,
    "cotton": 0.8,
    "iron": 0.9,
    "glass": 0.95,
    "steel": 1.0,
    "aluminium": 1.05,
    "oak": 1.3,
    "brass": 1.35,
    "walnut": 1.5,
    "leather": 1.6,
    "titanium": 2.0,
    "silver": 2.2,
}

SIZES = (
    Level("small", 0.7, 2, ("small", "compact", "mini")),
    Level("medium", 1.0, 4, ("medium", "midsize", "average")),
    Level("large", 1.45, 2, ("large", "big", "generous")),
    Level("extra large", 2.0, 1, ("extra large", "huge", "oversized")),
)

# Every wording can stand before a noun ("a battered lamp") and after "is" ("it is battered").
CONDITIONS = (
    Level("new", 1.0, 6, ("new", "brand new", "factory sealed")),
    Level("open box", 0.85, 2, ("open box", "nearly new", "barely touched")),
    Level("used", 0.6, 3, ("used", "second hand", "pre owned")),
    Level("worn", 0.4, 2, ("worn", "battered", "badly scratched")),
)

EDITIONS = (
    Level("basic", 0.8, 2, ("basic", "plain", "starter")),
    Level("standard", 1.0, 4, ("standard", "regular", "normal")),
    Level("deluxe", 1.3, 2, ("deluxe", "special", "upgraded")),
    Level("collector", 1.7, 1, ("collector", "limited", "numbered")),
)

# n pieces are worth n ** QUANTITY_EXPONENT single ones: a set has a discount.
QUANTITY_EXPONENT = 0.85
SET_WORDINGS = ("set of {}", "pack of {}", "box of {}")

# Factors of the length in cm by size.
SIZE_LENGTHS = {"small": 0.75, "medium": 1.0, "large": 1.25, "extra large": 1.5}

COLOURS = (
    "black",
    "white",
    "grey",
    "red",
    "blue",
    "green",
    "brown",
    "dark blue",
    "dark green",
    "light grey",
    "yellow",
    "orange",
)

WOODS = ("plywood", "pine", "oak", "walnut")
METALS = ("iron", "steel", "brass")
FRAMES = ("plastic", "steel", "aluminium", "titanium")
COVERS = ("nylon", "cotton", "leather")
PAIRS = (1, 1, 2, 4)
PACKS = (1, 2, 4, 6, 8, 12)

CATEGORIES = (
    Category(
        "furniture",
        ("rounded corners", "adjustable feet", "hidden screws", "a smooth finish", "strong joints"),
        (
            Kind("dining table", "dining tables", 240, 140, (*WOODS, "glass")),
            Kind("dining chair", "dining chairs", 60, 85, (*WOODS, "plastic"), (1, 2, 4, 6)),
            Kind("sofa", "sofas", 420, 190, COVERS),
            Kind("nightstand", "nightstands", 55, 50, WOODS),
        ),
    ),
    Category(
        "kitchen",
        ("a non slip base", "a comfortable grip", "an easy clean surface", "smooth edges"),
        (
            Kind("kettle", "kettles", 36, 24, ("plastic", "glass", "steel", "silver")),
            Kind("knife", "knives", 22, 21, ("steel", "titanium"), (1, 2, 4, 6)),
            Kind("coffee maker", "coffee makers", 85, 35, ("plastic", "glass", "steel")),
            Kind("plate", "plates", 6, 25, ("plastic", "glass", "silver"), PACKS),
        ),
    ),
    Category(
        "tools",
        ("a comfortable grip", "clear markings", "a hanging loop", "a balanced weight"),
        (
            Kind("hammer", "hammers", 16, 32, ("iron", "steel", "titanium")),
            Kind("drill", "drills", 95, 26, FRAMES),
            Kind("ladder", "ladders", 115, 250, ("pine", "steel", "aluminium")),
            Kind("workbench", "workbenches", 210, 130, (*WOODS, "steel")),
        ),
    ),
    Category(
        "audio",
        ("clear sound", "deep bass", "simple controls", "a long cable", "a quiet standby mode"),
        (
            Kind("headset", "headsets", 65, 19, (*FRAMES, "leather")),
            Kind("speaker", "speakers", 120, 40, ("plastic", *WOODS), PAIRS),
            Kind("radio", "radios", 42, 25, ("plastic", "oak", "walnut", "aluminium")),
            Kind("amplifier", "amplifiers", 290, 43, ("plastic", "steel", "aluminium", "walnut")),
        ),
    ),
    Category(
        "garden",
        ("rust protection", "weather protection", "a low weight", "a matt surface"),
        (
            Kind("shovel", "shovels", 22, 110, ("plastic", "iron", "steel", "titanium")),
            Kind("flower pot", "flower pots", 10, 30, ("plastic", "glass", "brass"), PACKS),
            Kind("parasol", "parasols", 75, 240, ("nylon", "cotton")),
            Kind("lawn mower", "lawn mowers", 310, 120, ("plastic", "steel", "aluminium")),
        ),
    ),
    Category(
        "sports",
        ("a low weight", "a balanced feel", "an easy carry strap", "a fresh design"),
        (
            Kind("bicycle", "bicycles", 380, 170, ("steel", "aluminium", "titanium")),
            Kind("dumbbell", "dumbbells", 18, 30, ("plastic", "iron", "steel"), PAIRS),
            Kind("tent", "tents", 150, 230, ("nylon", "cotton")),
            Kind("helmet", "helmets", 46, 28, ("plastic", "leather", "titanium")),
        ),
    ),
    Category(
        "toys",
        ("bright details", "rounded edges", "safe paint", "a funny face", "a carry box"),
        (
            Kind("puzzle", "puzzles", 10, 35, ("plastic", *WOODS)),
            Kind("toy train", "toy trains", 32, 60, ("plastic", "pine", "brass")),
            Kind("rocking horse", "rocking horses", 88, 75, ("plastic", *WOODS)),
            Kind("toy car", "toy cars", 6, 12, ("plastic", "pine", "steel", "brass"), PACKS),
        ),
    ),
    Category(
        "bags",
        ("a strong zip", "a hidden pocket", "neat stitching", "a soft lining", "a name tag"),
        (
            Kind("backpack", "backpacks", 52, 48, COVERS),
            Kind("suitcase", "suitcases", 115, 66, ("plastic", "leather", "aluminium")),
            Kind("wallet", "wallets", 26, 11, COVERS),
            Kind("lunch bag", "lunch bags", 12, 27, ("nylon", "cotton")),
        ),
    ),
    Category(
        "lighting",
        ("a warm glow", "a simple switch", "a long cable", "a round shade", "soft light"),
        (
            Kind("desk lamp", "desk lamps", 30, 42, ("plastic", "oak", *METALS)),
            Kind("floor lamp", "floor lamps", 78, 155, ("oak", *METALS)),
            Kind("chandelier", "chandeliers", 280, 70, ("glass", "iron", "brass", "silver")),
            Kind("lantern", "lanterns", 15, 28, ("plastic", "glass", "iron", "brass"), PAIRS),
        ),
    ),
    Category(
        "instruments",
        ("a rich tone", "fine tuning", "a soft case", "a bright sound", "a beginner guide"),
        (
            Kind("guitar", "guitars", 240, 100, WOODS),
            Kind("flute", "flutes", 150, 66, ("plastic", "brass", "silver")),
            Kind("ukulele", "ukuleles", 62, 55, ("plastic", *WOODS)),
            Kind("harmonica", "harmonicas", 22, 13, ("plastic", "steel", "brass", "silver")),
        ),
    ),
)

# A title and the sentences below it, which may come in any order. Together they state every
# price-carrying attribute. {noun} and {pack} are "table" and "", or "tables" and ", set of 4";
# {it} is "it" or "the set".
_MAKE = (
    "{It} is made of {material} in {colour} and has {feature}.",
    "Made of {material}, with {feature}, in {colour}.",
    "The main material is {material}, the colour is {colour}, with {feature} as well.",
    "{It} has {feature} and a body of {material} in {colour}.",
)
_STATE = (
    "{It} is {condition}.",
    "Sold as {condition}.",
    "The seller calls {it} {condition}.",
    "Condition: {condition}.",
)
_EDITION = (
    "This is the {edition} edition in {colour}, with {feature}.",
    "You get the {edition} edition, which has {feature} and comes in {colour}.",
    "As the {edition} edition in {colour}, {it} offers {feature}.",
    "Edition: {edition}, in {colour}, with {feature}.",
)
_SERIES = (
    "{It} belongs to the {edition} edition.",
    "{It} is the {edition} edition.",
    "This is the {edition} edition of the series.",
    "Edition: {edition}.",
)
_SIZE = (
    "{It} is {size}, with a length of about {length} cm.",
    "{It} is {size} and about {length} cm long.",
    "Size: {size}, which is {length} cm from end to end.",
    "We measured {length} cm from end to end, so {it} is {size}.",
)
LAYOUTS = (
    (
        (
            "{brand} {size} {material} {noun}{pack}",
            "{size} {material} {noun} by {brand}{pack}",
            "{size} {brand} {noun} made of {material}{pack}",
        ),
        (_STATE, _EDITION),
    ),
    (
        (
            "{condition} {brand} {noun}{pack}",
            "{brand} {noun}{pack}, {condition}",
            "{condition} {noun} from {brand}{pack}",
        ),
        (_SIZE, _MAKE, _SERIES),
    ),
    (
        (
            "{brand} {noun}, {edition} edition{pack}",
            "{edition} edition {noun} by {brand}{pack}",
            "{brand} {edition} edition {noun}{pack}",
        ),
        (_MAKE, _SIZE, _STATE),
    ),
)
# Sentences without information on the price, like most of a real advertisement.
FILLERS = (
    "Ready to ship within a few days.",
    "A nice gift for family and friends.",
    "The photos show the real item.",
    "It comes from a clean home without pets.",
    "Please read the guide before the first use.",
    "Clean it with a dry cloth and keep it away from water.",
    "We pack every order with care.",
    "Many of our shoppers like its simple look.",
    "You can pick it up at our shop in the morning.",
    "Ask us if you have any questions.",
    "It fits well into every modern home.",
    "Our team checks each item by hand before it leaves the shop.",
    "Returns are easy and our service is friendly.",
    "The box is easy to open and to store.",
)
