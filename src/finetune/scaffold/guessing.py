"""Which kind of task a file is for, and which of its columns are input, target, id and category.

Names and contents both count. Where they leave more than one reading, `choose` decides.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from finetune.core.errors import DataError
from finetune.scaffold.choosing import Choose
from finetune.scaffold.columns import Column

# Words in the names of columns, by what they say the column is.
SUMMARY = (
    "summary", "summaries", "highlights", "abstract", "tldr", "headline", "gist", "reference",
    "references", "target", "output", "zusammenfassung", "kurzfassung", "resumen", "résumé",
)  # fmt: skip
DOCUMENT = (
    "dialogue", "dialog", "document", "article", "text", "body", "content", "transcript",
    "conversation", "chat", "source", "input", "story", "report",
)  # fmt: skip
PRICE = ("price", "preis", "prix", "precio", "prezzo", "cost", "usd", "amount", "betrag")
DESCRIPTION = ("description", "beschreibung", "descripción", "text", "details", "product", "item")
CATEGORY = (
    "category", "kategorie", "categoría", "catégorie", "department", "genre", "type", "group",
    "gruppe",
)  # fmt: skip
ID = ("id", "uid", "guid", "uuid", "key", "sku", "asin", "nr", "nummer")
# Names of columns that a field of each kind may have: input, then target.
FIELDS = {"summarization": ("dialogue", "summary"), "price": ("text", "price")}
# A summary is shorter than what it sums up, and more than a label.
SHORTER, LEAST_WORDS = 0.7, 3
# Columns with fewer values than that hold neither input nor target.
LEAST_FILLED = 0.5
# Of two texts the one that is so many times as long is the input, whatever they are called.
CLEARLY_LONGER = 2.0


@dataclass(frozen=True)
class Wishes:
    """What options say: columns by their paths, each None or empty where nothing is said."""

    kind: str | None = None
    input: str | None = None
    target: Sequence[str] = ()
    id: str | None = None


@dataclass(frozen=True)
class Guess:
    """A kind, and where each of its fields stands; `notes` say what was passed over."""

    kind: str
    fields: dict[str, str | list[str]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Candidates:
    """Columns that a field may be, the best first; strength 2 by name, 1 by elimination, 0 not."""

    paths: list[str]
    strength: int


def guess(columns: Mapping[str, Column], wishes: Wishes, choose: Choose) -> Guess:
    """What the columns of a file are.

    Raises:
        DataError: no column can be the input or the target.
        UserError: there is a choice, and nobody to make it.
    """
    kind = wishes.kind or _kind(columns, wishes, choose)
    body, target = FIELDS[kind]
    chosen: dict[str, str | list[str]] = {}
    if wishes.target:
        chosen[target] = list(wishes.target) if len(wishes.target) > 1 else wishes.target[0]
    else:
        chosen[target] = _choose(targets(kind, columns, wishes.input), "target", kind, choose)
    taken = {wishes.target[0] if wishes.target else chosen[target], *wishes.target}
    chosen[body] = wishes.input or _choose(inputs(kind, columns, taken), "input", kind, choose)
    taken.add(chosen[body])
    fields: dict[str, str | list[str]] = {}
    if wishes.id:
        fields["id"] = wishes.id
    fields |= {body: chosen[body], target: chosen[target]}
    if kind == "price" and (category := _category(columns, taken)):
        fields["category"] = category
    return Guess(kind, fields)


def _choose(found: Candidates, role: str, kind: str, choose: Choose) -> str:
    if not found.paths:
        wanted = {
            ("summarization", "input"): "long texts",
            ("summarization", "target"): "texts shorter than the input",
            ("price", "input"): "texts",
            ("price", "target"): "amounts in USD, such as 12.5 or $1,299.00",
        }[kind, role]
        raise DataError(f"init: no column holds {wanted}, for the {role} of {kind}; see --{role}")
    if found.strength:
        return found.paths[0]
    return choose(f"the {role} of {kind}", f"--{role}", found.paths)


def _kind(columns: Mapping[str, Column], wishes: Wishes, choose: Choose) -> str:
    """Prices where the target is a number, summaries where it is text; by the stronger evidence."""
    if wishes.target:
        column = columns.get(wishes.target[0])
        return "price" if column and column.type == "number" else "summarization"
    found = {kind: targets(kind, columns, wishes.input) for kind in FIELDS}
    strengths = {kind: found[kind].strength if found[kind].paths else -1 for kind in FIELDS}
    best = max(strengths.values())
    if best < 0:
        told = ", ".join(f"{c.path!r} ({c.type}: {c.example:.30})" for c in columns.values())
        raise DataError(
            "init: no column can be a target: neither amounts in USD nor texts shorter than "
            f"another one; there are {told or 'none'}; see --kind, --input and --target"
        )
    likely = [kind for kind, strength in strengths.items() if strength == best]
    return likely[0] if len(likely) == 1 else choose("the kind of task", "--kind", likely)


def targets(kind: str, columns: Mapping[str, Column], body: str | None) -> Candidates:
    """What the model may be asked for: numbers for prices, the shorter texts for summaries."""
    usable = [c for c in columns.values() if c.filled >= LEAST_FILLED and c.path != body]
    if kind == "price":
        numbers = [c for c in usable if c.type == "number" and not is_named(c, ID)]
        return _ranked(numbers, PRICE, [c for c in numbers if c.is_money])
    longest = columns[body] if body in columns else _longest(usable)
    shorter = [
        c
        for c in usable
        if c.type in ("text", "texts")
        and longest is not None
        and c is not longest
        and c.words <= SHORTER * longest.words
        and (c.words >= LEAST_WORDS or is_named(c, SUMMARY))
    ]
    found = _ranked(shorter, SUMMARY)
    return Candidates(found.paths, 1) if len(shorter) == 1 and not found.strength else found


def inputs(
    kind: str, columns: Mapping[str, Column], taken: Iterable[str | list[str]]
) -> Candidates:
    """What the model may read: texts, the longest first; sure where one is by far the longest."""
    texts = [
        c
        for c in columns.values()
        if c.type == "text" and c.filled >= LEAST_FILLED and c.path not in taken
    ]
    texts.sort(key=lambda c: -c.words)
    if len(texts) < 2 or texts[0].words >= CLEARLY_LONGER * texts[1].words:
        return Candidates([c.path for c in texts], 1)
    return _ranked(texts, DOCUMENT if kind == "summarization" else DESCRIPTION)


def _ranked(
    columns: Sequence[Column], words: Sequence[str], telling: Sequence[Column] = ()
) -> Candidates:
    """Those called so first, then those with a telling name or content; sure where one stands out.

    `price` stands out beside `list_price`, which stands out beside `rating`.
    """
    called = [c for c in columns if _name(c).casefold() in words]
    named = [c for c in columns if c in called or c in telling or is_named(c, words)]
    stands_out = len(called) == 1 or len(named) == 1
    ranked = dict.fromkeys(c.path for group in (called, named, columns) for c in group)
    return Candidates(list(ranked), 2 if stands_out else 0)


def _longest(columns: Iterable[Column]) -> Column | None:
    texts = [column for column in columns if column.type == "text"]
    return max(texts, key=lambda column: column.words, default=None)


def _category(columns: Mapping[str, Column], taken: Iterable[str | list[str]]) -> str | None:
    """A column of labels that come again, by its name."""
    for column in columns.values():
        is_label = column.type == "text" and column.words < LEAST_WORDS + 2
        if is_label and column.path not in taken and is_named(column, CATEGORY):
            return column.path
    return None


def is_named(column: Column, words: Sequence[str]) -> bool:
    """A column's path has one of these words, long ones also within a word."""
    name = column.path
    parts = [part.casefold() for part in re.findall(r"[A-ZÄÖÜ]?[^\W\d_A-ZÄÖÜ]+|[A-ZÄÖÜ]+", name)]
    return any(word in parts or (len(word) > 4 and word in name.casefold()) for word in words)


def _name(column: Column) -> str:
    return column.path.rpartition(".")[2]
