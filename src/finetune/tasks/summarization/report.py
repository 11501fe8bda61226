"""What the report shows of summaries: how ROUGE-1 spreads, examples, and unsupported facts."""

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from finetune.core.schema import Train
from finetune.reporting import canvas, rows, templates
from finetune.reporting.artifacts import Row, TaskArtifacts
from finetune.reporting.examples import shared_words, text_examples
from finetune.reporting.overlap import Span
from finetune.reporting.parts import KindQuality, KindReport, Series
from finetune.scoring import numbers

# Summaries with unsupported facts that are shown, side by side.
UNSUPPORTED = 3


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """A dialogue, its tuned summary with unsupported facts marked, and those facts."""

    id: str
    dialogue: str
    summary: list[Span]
    facts: list[str]


def _loss(train: Train) -> str:
    return "Cross-entropy of a summary's tokens, in nats per token."


def _quality(name: str, artifacts: TaskArtifacts) -> KindQuality:
    examples = text_examples(artifacts, "dialogue", mark=shared_words)
    template = Path(__file__).with_name("report.html.j2")
    html = templates.render(
        template,
        examples=examples,
        metric=artifacts.primary,
        unsupported=unsupported(artifacts),
        unsupported_counts=_counts(artifacts),
    )
    return KindQuality(
        before_groups=rows.score_histograms(name, artifacts, limits=(0, 100)),
        examples=Markup(html),
    )


def unsupported(artifacts: TaskArtifacts) -> list[Unsupported]:
    """Tuned summaries with facts that the dialogue does not hold, those with most of them first."""
    rows = [row for row in artifacts.predictions.get("tuned", []) if row.get("unsupported")]
    dialogues = {row["id"]: row["dialogue"] for row in artifacts.rows.get("test", [])}
    return [
        Unsupported(
            id=str(row["id"]),
            dialogue=dialogues.get(row["id"], ""),
            summary=_marked(row),
            facts=row["unsupported"],
        )
        for row in sorted(rows, key=lambda row: -len(row["unsupported"]))[:UNSUPPORTED]
    ]


def _marked(row: Row) -> list[Span]:
    """The summary, divided into unsupported facts and what stands between them."""
    facts = "|".join(map(re.escape, sorted(row["unsupported"], key=len, reverse=True)))
    pieces = re.split(rf"(?<!\w)({facts})(?!\w)", row["prediction"])
    return [(piece, bool(place % 2)) for place, piece in enumerate(pieces) if piece]


def _counts(artifacts: TaskArtifacts) -> str:
    """How many summaries of each model have such facts; empty for predictions without them."""
    counts = []
    for role, label in canvas.LABELS.items():
        rows = [row for row in artifacts.predictions.get(role, []) if "unsupported" in row]
        if rows:
            having = sum(bool(row["unsupported"]) for row in rows)
            counts.append(f"{label} {numbers.share(having, len(rows))}")
    return ", ".join(counts)


REPORT = KindReport(
    description="summaries of dialogues",
    series=(
        Series(label="words of a dialogue", value=lambda row: len(row["dialogue"].split())),
        Series(label="words of a summary", value=lambda row: len(row["summary"].split())),
    ),
    loss=_loss,
    quality=_quality,
)
