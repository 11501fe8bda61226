"""The page on which people rate: one HTML file that needs nothing else, and asks nobody anything.

Nothing in it tells which side is whose: sides are drawn by row, and the page is a function of what
stands left and right. Whoever has the predictions can look answers up in them; nothing on a page
that shows the answers could prevent that.
"""

import base64
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from finetune.rating import answers
from finetune.rating.answers import Pair
from finetune.rating.kind_rating import KindRating
from finetune.reporting import templates

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Item:
    """A row as a rater sees it; the hashes of its answers go into the file of ratings."""

    row: str
    input_hash: str
    input: str
    left: str
    right: str
    left_hash: str
    right_hash: str
    reference: str | None


def draw(pairs: Sequence[Pair], count: int, rng: random.Random) -> list[tuple[Pair, bool]]:
    """So many of the pairs in any order, each with whether its first answer stands on the left.

    Sides are drawn after the rows, and independently of everything about them.
    """
    chosen = rng.sample(list(pairs), min(count, len(pairs)))
    return [(pair, rng.random() < 0.5) for pair in chosen]


def item(pair: Pair, is_first_left: bool, text: str, unit: str, with_reference: bool) -> Item:
    """A pair of answers, on their sides."""
    sides = (0, 1) if is_first_left else (1, 0)
    left, right = (answers.shown(pair.answers[side], unit) for side in sides)
    left_hash, right_hash = (pair.hashes[side] for side in sides)
    reference = answers.shown(pair.reference, unit) if with_reference else None
    return Item(pair.row, pair.input, text, left, right, left_hash, right_hash, reference)


def html(task: str, split: str, rating: KindRating, items: Sequence[Item]) -> str:
    """The page, with a name by its content."""
    content = {
        "task": task,
        "split": split,
        "question": rating.question,
        "hint": rating.hint,
        "input": rating.input,
        "items": [asdict(each) for each in items],
    }
    name = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    # In a <script> of JSON only "<" could end it.
    data = json.dumps({"page": name, **content}).replace("<", "\\u003c")
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    style = "".join(
        file.read_text(encoding="utf-8")
        for file in (templates.FOLDER / "page.css", FOLDER / "page.css")
    )
    # Its own script and style, and no request at all.
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return templates.render(
        FOLDER / "page.html.j2",
        task=task,
        rating=rating,
        count=len(items),
        data=data,
        script=script,
        style=style,
        policy=policy,
    )


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
