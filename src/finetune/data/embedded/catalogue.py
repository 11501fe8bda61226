"""The goods of the synthetic shop, as data: what exists, in which words, and what drives its price.

A price is a product of factors: `Kind.base` in USD (for a new, medium, standard one of steel by
an everyday brand) times one factor for each attribute. Where a factor has several wordings, all
mean the same and none shows in the price. Numbers are spelled in digits, and no text says money.
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
    """Brands of one standing. A shop text names the brand only, so its standing must be learnt."""

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
    """Kinds that share a set of features; a feature fits each kind and leaves the price alone."""

    name: str
    features: tuple[str, ...]
    kinds: tuple[Kind, ...]


TIERS = (
    Tier("budget", 0.6, ("Kipp", "Dobo", "Plenko", "Bazzo", "Tanto", "Welk", "Snapp", "Fiddo")),
    Tier(
        "everyday",
        1.0,
        ("Ostrel", "Corvin", "Lumeck", "Tarrow", "Brindel", "Hadrow", "Fennick", "Garlan"),
    ),
    Tier(
        "quality",
        1.6,
        ("Elmarin", "Veltor", "Astrane", "Kestrin", "Rovelle", "Solmark", "Tindrel", "Quenby"),
    ),
    Tier(
        "luxury",
        2.6,
        ("Norvane", "Aurelis", "Valdoro", "Bellamont", "Chantrel", "Ostravia", "Sevrane", "Imper"),
    ),
)

MATERIALS = {
    "plastic": 0.6,
    "plywood": 0.65,
    "nylon": 0.7,
    "rubber": 0.75,
    "pine": 0.8,
    "cotton": 0.8,
    "canvas": 0.85,
    "bamboo": 0.85,
    "iron": 0.9,
    "glass": 0.95,
    "ceramic": 1.0,
    "steel": 1.0,
    "aluminium": 1.05,
    "linen": 1.1,
    "wool": 1.2,
    "maple": 1.2,
    "oak": 1.3,
    "copper": 1.3,
    "brass": 1.35,
    "walnut": 1.5,
    "leather": 1.6,
    "silk": 1.7,
    "marble": 1.8,
    "carbon": 1.8,
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

WARRANTIES = (
    Level("none", 0.85, 2, ("no warranty", "no guarantee")),
    Level("1 year", 0.95, 3, ("a warranty of 1 year", "a guarantee of 1 year")),
    Level("2 years", 1.0, 3, ("a warranty of 2 years", "a guarantee of 2 years")),
    Level("5 years", 1.15, 2, ("a warranty of 5 years", "a guarantee of 5 years")),
    Level("10 years", 1.35, 1, ("a warranty of 10 years", "a guarantee of 10 years")),
)

# n pieces are worth n ** QUANTITY_EXPONENT single ones: a set has a discount.
QUANTITY_EXPONENT = 0.85
SET_WORDINGS = ("set of {}", "pack of {}", "box of {}")

# How the length in cm follows the size, level by level.
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

WOODS = ("plywood", "pine", "bamboo", "maple", "oak", "walnut")
CLOTHS = ("nylon", "cotton", "linen", "wool", "silk")
METALS = ("iron", "steel", "aluminium", "copper", "brass")
LIGHT_METALS = ("plastic", "steel", "aluminium", "carbon", "titanium")
COVERS = ("cotton", "linen", "wool", "leather")
PAIRS = (1, 1, 2, 4)
PACKS = (1, 2, 4, 6, 8, 12)

CATEGORIES = (
    Category(
        "furniture",
        ("rounded corners", "adjustable feet", "hidden screws", "a smooth finish", "strong joints"),
        (
            Kind("dining table", "dining tables", 240, 140, (*WOODS, "glass", "marble")),
            Kind("dining chair", "dining chairs", 60, 85, (*WOODS, "plastic"), (1, 2, 4, 6)),
            Kind("bookshelf", "bookshelves", 110, 160, (*WOODS, "steel")),
            Kind("sofa", "sofas", 420, 190, COVERS),
            Kind("wardrobe", "wardrobes", 300, 195, WOODS),
            Kind("bed frame", "bed frames", 250, 200, (*WOODS, "iron")),
            Kind("nightstand", "nightstands", 55, 50, (*WOODS, "marble")),
            Kind("bench", "benches", 90, 110, (*WOODS, "iron")),
        ),
    ),
    Category(
        "kitchen",
        ("a non slip base", "a comfortable grip", "an easy clean surface", "smooth edges"),
        (
            Kind("frying pan", "frying pans", 30, 28, ("ceramic", *METALS)),
            Kind("kettle", "kettles", 36, 24, ("plastic", "glass", "ceramic", "steel", "copper")),
            Kind("knife", "knives", 22, 21, ("ceramic", "steel", "titanium"), (1, 2, 4, 6)),
            Kind("mixing bowl", "mixing bowls", 12, 26, ("plastic", "glass", "steel"), PAIRS),
            Kind("cutting board", "cutting boards", 15, 38, ("plastic", *WOODS, "marble")),
            Kind("teapot", "teapots", 20, 18, ("glass", "ceramic", "iron", "copper", "silver")),
            Kind("coffee maker", "coffee makers", 85, 35, ("plastic", "glass", "steel", "copper")),
            Kind("plate", "plates", 6, 25, ("plastic", "glass", "ceramic", "silver"), PACKS),
        ),
    ),
    Category(
        "tools",
        ("a comfortable grip", "clear markings", "a hanging loop", "a balanced weight"),
        (
            Kind("hammer", "hammers", 16, 32, ("iron", "steel", "titanium")),
            Kind("drill", "drills", 95, 26, LIGHT_METALS),
            Kind("hand saw", "hand saws", 19, 50, ("iron", "steel", "titanium")),
            Kind("wrench", "wrenches", 11, 20, ("iron", "steel", "titanium"), PACKS),
            Kind("tool box", "tool boxes", 38, 45, ("plastic", "pine", "steel", "aluminium")),
            Kind("ladder", "ladders", 115, 250, ("bamboo", "pine", "steel", "aluminium", "carbon")),
            Kind("workbench", "workbenches", 210, 130, ("plywood", "pine", "oak", "steel")),
        ),
    ),
    Category(
        "audio",
        ("clear sound", "deep bass", "simple controls", "a long cable", "a quiet standby mode"),
        (
            Kind("headset", "headsets", 65, 19, (*LIGHT_METALS, "leather")),
            Kind("speaker", "speakers", 120, 40, ("plastic", *WOODS, "aluminium"), PAIRS),
            Kind("turntable", "turntables", 200, 44, ("plastic", "oak", "walnut", "aluminium")),
            Kind("microphone", "microphones", 90, 18, ("plastic", "steel", "brass", "titanium")),
            Kind("radio", "radios", 42, 25, ("plastic", "bamboo", "oak", "walnut", "aluminium")),
            Kind("amplifier", "amplifiers", 290, 43, ("plastic", "steel", "aluminium", "walnut")),
            Kind("sound mixer", "sound mixers", 230, 48, ("plastic", "steel", "aluminium")),
        ),
    ),
    Category(
        "garden",
        ("rust protection", "weather protection", "a low weight", "a matt surface"),
        (
            Kind("shovel", "shovels", 22, 110, ("plastic", "iron", "steel", "titanium")),
            Kind("rake", "rakes", 17, 150, ("plastic", "bamboo", "steel", "aluminium")),
            Kind("flower pot", "flower pots", 10, 30, ("plastic", "ceramic", "copper"), PACKS),
            Kind("watering can", "watering cans", 16, 36, ("plastic", "steel", "copper", "brass")),
            Kind("wheelbarrow", "wheelbarrows", 90, 140, ("plastic", "pine", "steel", "aluminium")),
            Kind("parasol", "parasols", 75, 240, ("nylon", "cotton", "canvas", "linen")),
            Kind("greenhouse", "greenhouses", 400, 260, ("plastic", "glass")),
            Kind("lawn mower", "lawn mowers", 310, 120, ("plastic", "steel", "aluminium")),
        ),
    ),
    Category(
        "sports",
        ("a low weight", "a balanced feel", "an easy carry strap", "a fresh design"),
        (
            Kind("tennis racket", "tennis rackets", 70, 68, ("aluminium", "carbon", "titanium")),
            Kind("yoga mat", "yoga mats", 20, 180, ("plastic", "rubber", "cotton")),
            Kind("kayak", "kayaks", 430, 320, ("plastic", "plywood", "carbon")),
            Kind("bicycle", "bicycles", 380, 170, ("steel", "aluminium", "carbon", "titanium")),
            Kind("dumbbell", "dumbbells", 18, 30, ("rubber", "iron", "steel"), PAIRS),
            Kind("tent", "tents", 150, 230, ("nylon", "cotton", "canvas")),
            Kind("skateboard", "skateboards", 58, 80, ("plastic", "bamboo", "maple", "carbon")),
            Kind("helmet", "helmets", 46, 28, ("plastic", "leather", "carbon")),
        ),
    ),
    Category(
        "toys",
        ("bright details", "rounded edges", "safe paint", "a funny face", "a carry box"),
        (
            Kind("puzzle", "puzzles", 10, 35, ("plastic", *WOODS)),
            Kind("doll", "dolls", 19, 38, ("plastic", "cotton", "wool", "silk", "ceramic")),
            Kind("toy train", "toy trains", 32, 60, ("plastic", "pine", "maple", "brass")),
            Kind("kite", "kites", 13, 120, ("nylon", "cotton", "silk")),
            Kind("doll house", "doll houses", 75, 80, ("plastic", "plywood", "pine", "oak")),
            Kind("rocking horse", "rocking horses", 88, 75, ("plastic", *WOODS)),
            Kind("toy car", "toy cars", 6, 12, ("plastic", "pine", "steel", "brass"), PACKS),
        ),
    ),
    Category(
        "bags",
        ("a strong zip", "a hidden pocket", "neat stitching", "a soft lining", "a name tag"),
        (
            Kind("backpack", "backpacks", 52, 48, ("nylon", "cotton", "canvas", "leather")),
            Kind("suitcase", "suitcases", 115, 66, ("plastic", "canvas", "leather", "aluminium")),
            Kind("handbag", "handbags", 90, 32, ("cotton", "canvas", "leather", "silk")),
            Kind("wallet", "wallets", 26, 11, ("nylon", "canvas", "leather", "carbon")),
            Kind("sports bag", "sports bags", 44, 58, ("nylon", "cotton", "canvas", "leather")),
            Kind("briefcase", "briefcases", 125, 42, ("canvas", "leather", "aluminium")),
            Kind("lunch bag", "lunch bags", 12, 27, ("nylon", "cotton", "canvas")),
        ),
    ),
    Category(
        "lighting",
        ("a warm glow", "a simple switch", "a long cable", "a round shade", "soft light"),
        (
            Kind("desk lamp", "desk lamps", 30, 42, ("plastic", "oak", *METALS)),
            Kind("floor lamp", "floor lamps", 78, 155, ("bamboo", "oak", *METALS, "marble")),
            Kind("chandelier", "chandeliers", 280, 70, ("glass", "iron", "brass", "silver")),
            Kind("lantern", "lanterns", 15, 28, ("plastic", "glass", "iron", "brass"), PAIRS),
            Kind("wall light", "wall lights", 36, 24, ("glass", "ceramic", *METALS), PAIRS),
            Kind("ceiling light", "ceiling lights", 70, 45, ("plastic", "glass", *METALS)),
            Kind("night light", "night lights", 9, 10, ("plastic", "glass", "ceramic"), PAIRS),
        ),
    ),
    Category(
        "instruments",
        ("a rich tone", "fine tuning", "a soft case", "a bright sound", "a beginner guide"),
        (
            Kind("guitar", "guitars", 240, 100, ("plywood", "maple", "oak", "walnut", "carbon")),
            Kind("violin", "violins", 310, 60, ("plywood", "maple", "walnut", "carbon")),
            Kind("flute", "flutes", 150, 66, ("plastic", "bamboo", "maple", "brass", "silver")),
            Kind("drum", "drums", 130, 40, ("plywood", "maple", "oak", "steel", "brass")),
            Kind("ukulele", "ukuleles", 62, 55, ("plastic", "bamboo", "maple", "walnut")),
            Kind("harmonica", "harmonicas", 22, 13, ("plastic", "steel", "brass", "silver")),
            Kind("trumpet", "trumpets", 260, 54, ("plastic", "steel", "brass", "silver")),
            Kind("cello", "cellos", 560, 120, ("plywood", "maple", "walnut", "carbon")),
        ),
    ),
    Category(
        "office",
        ("a tidy look", "a neat label", "quiet use", "a smooth finish", "a modern shape"),
        (
            Kind("desk", "desks", 220, 150, (*WOODS, "glass", "steel")),
            Kind("office chair", "office chairs", 140, 105, ("plastic", *COVERS)),
            Kind("pen", "pens", 4, 14, ("plastic", "steel", "brass", "silver"), PACKS),
            Kind("notebook", "notebooks", 5, 21, ("cotton", "linen", "leather"), PACKS),
            Kind("letter tray", "letter trays", 11, 33, ("plastic", *WOODS, "steel"), PAIRS),
            Kind("filing cabinet", "filing cabinets", 150, 120, ("plywood", "oak", "steel")),
            Kind("stapler", "staplers", 9, 15, ("plastic", "steel", "brass")),
            Kind("clock", "clocks", 34, 30, ("plastic", *WOODS, "brass", "silver")),
        ),
    ),
    Category(
        "car parts",
        ("an exact fit", "a simple mount", "rust protection", "a fitting guide"),
        (
            Kind("brake disc", "brake discs", 46, 30, ("iron", "steel", "carbon"), PAIRS),
            Kind("wheel rim", "wheel rims", 100, 43, ("steel", "aluminium", "carbon"), PAIRS),
            Kind("floor mat", "floor mats", 15, 70, ("plastic", "rubber", "cotton"), PAIRS),
            Kind("roof rack", "roof racks", 135, 130, ("plastic", "steel", "aluminium", "carbon")),
            Kind("exhaust pipe", "exhaust pipes", 165, 125, ("iron", "steel", "titanium")),
            Kind("side mirror", "side mirrors", 55, 24, ("plastic", "glass", "carbon")),
            Kind("seat cover", "seat covers", 32, 115, ("nylon", "cotton", "leather"), PAIRS),
        ),
    ),
    Category(
        "textiles",
        ("neat stitching", "a soft touch", "bright colours", "a fine pattern", "strong seams"),
        (
            Kind("blanket", "blankets", 38, 180, CLOTHS),
            Kind("pillow", "pillows", 15, 60, CLOTHS, PAIRS),
            Kind("towel", "towels", 8, 100, ("cotton", "linen", "bamboo"), PACKS),
            Kind("curtain", "curtains", 24, 220, CLOTHS, PAIRS),
            Kind("rug", "rugs", 120, 200, ("nylon", "cotton", "wool", "silk")),
            Kind("quilt", "quilts", 80, 210, CLOTHS),
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
    "{It} is {condition} and comes with {warranty}.",
    "Sold as {condition}, with {warranty} from the maker.",
    "The seller calls {it} {condition} and offers {warranty}.",
    "Condition: {condition}, with {warranty}.",
)
_EDITION = (
    "This is the {edition} edition in {colour}, with {feature}.",
    "You get the {edition} edition, which has {feature} and comes in {colour}.",
    "As the {edition} edition in {colour}, {it} offers {feature}.",
    "Edition: {edition}, in {colour}, with {feature}.",
)
_PROMISE = (
    "The {edition} edition comes with {warranty}.",
    "{It} is the {edition} edition and has {warranty}.",
    "With {warranty}, this is the {edition} edition of the series.",
    "Edition: {edition}, sold with {warranty}.",
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
        (_SIZE, _MAKE, _PROMISE),
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
# Sentences that say nothing about the price, as most of a real advert.
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
