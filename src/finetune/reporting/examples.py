"""Rows worth reading: the best, the middle and the worst summary, the prices most missed."""

from dataclasses import dataclass

from finetune.reporting.material import Material, Row
from finetune.reporting.overlap import Span, overlap
from finetune.reporting.standings import per_row

MISSES = 6
# Characters of a description that are shown: a heading and some lines of it.
LONGEST_DESCRIPTION = 280


@dataclass(frozen=True)
class Summary:
    """A dialogue with its references and what both models made of it; scores are in points."""

    title: str
    id: str
    dialogue: str
    references: list[str]
    base: list[Span]
    base_score: float | None
    tuned: list[Span]
    tuned_score: float


@dataclass(frozen=True)
class Miss:
    """A product, what it costs, and what both models said, in USD."""

    id: str
    text: str
    category: str | None
    actual: float
    predicted: float
    base: float | None
    error: float
    base_error: float | None


def summaries(material: Material) -> list[Summary]:
    """The best, the middle and the worst row by the tuned model's score; fewer of few rows."""
    ranked = sorted(material.predictions.get("tuned", []), key=lambda row: -per_row(material, row))
    if not ranked:
        return []
    places = {0: "Best row", len(ranked) // 2: "Middle row", len(ranked) - 1: "Worst row"}
    if len(ranked) == 1:
        places = {0: "The only row"}
    elif len(ranked) == 2:
        places = {0: "Best row", 1: "Worst row"}
    dialogues = {row["id"]: row["dialogue"] for row in material.rows.get("test", [])}
    bases = {row["id"]: row for row in material.predictions.get("base", [])}
    found = []
    for place, title in sorted(places.items()):
        row = ranked[place]
        base = bases.get(row["id"])
        found.append(
            Summary(
                title,
                str(row["id"]),
                dialogues.get(row["id"], ""),
                row.get("references") or [row["reference"]],
                _marked(base) if base else [],
                per_row(material, base) if base else None,
                _marked(row),
                per_row(material, row),
            )
        )
    return found


def _marked(row: Row) -> list[Span]:
    """A prediction with what it shares with its reference; of several, with that sharing most."""
    found = [
        overlap(row["prediction"], reference)
        for reference in row.get("references") or [row["reference"]]
    ]
    return max(found, key=lambda spans: sum(len(piece) for piece, shared in spans if shared))


def misses(material: Material) -> list[Miss]:
    """The rows with the largest errors of the tuned model."""
    rows = sorted(material.predictions.get("tuned", []), key=lambda r: -r["absolute_error"])
    products = {row["id"]: row for row in material.rows.get("test", [])}
    bases = {row["id"]: row for row in material.predictions.get("base", [])}
    return [
        Miss(
            str(row["id"]),
            shortened(products.get(row["id"], {}).get("text", ""), LONGEST_DESCRIPTION),
            products.get(row["id"], {}).get("category"),
            row["reference"],
            row["prediction"],
            bases.get(row["id"], {}).get("prediction"),
            row["absolute_error"],
            bases.get(row["id"], {}).get("absolute_error"),
        )
        for row in rows[:MISSES]
    ]


def shortened(text: str, length: int) -> str:
    """A text of at most `length` characters, an ellipsis where something is left out."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
