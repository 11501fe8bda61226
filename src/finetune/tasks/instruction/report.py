"""What the report shows of responses: how ROUGE-1 spreads, required facts, the best and worst."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from finetune.core.schema import Train
from finetune.reporting import rows, templates
from finetune.reporting.artifacts import Row, TaskArtifacts
from finetune.reporting.examples import TextExample, shared_words, text_examples
from finetune.reporting.parts import KindQuality, KindReport, Series, Table
from finetune.scoring import numbers
from finetune.tasks.instruction.rows import prompt_text

# Of unsupported facts, the most frequent ones are listed.
LISTED_FACTS = 10


def _loss(train: Train) -> str:
    return "Cross-entropy of a response's tokens, in nats per token."


def _prompt(row: Mapping[str, Any]) -> str:
    return prompt_text(row["instruction"], row.get("context", ""))


def _quality(name: str, artifacts: TaskArtifacts) -> KindQuality:
    template = Path(__file__).with_name("report.html.j2")
    html = templates.render(template, examples=_examples(artifacts), metric=artifacts.primary)
    tables = [_facts(artifacts), _unsupported(artifacts)]
    return KindQuality(
        before_groups=rows.score_histograms(name, artifacts, limits=(0, 100)),
        tables=[table for table in tables if table],
        examples=Markup(html),
    )


def _examples(artifacts: TaskArtifacts) -> list[TextExample]:
    """The best, the middle and the worst row, each with all that the model reads of it."""
    prompts = {str(row["id"]): _prompt(row) for row in artifacts.rows.get("test", [])}
    return [
        replace(example, input=prompts.get(example.id, ""))
        for example in text_examples(artifacts, "instruction", mark=shared_words)
    ]


def _facts(artifacts: TaskArtifacts) -> Table | None:
    """How many answers have all, some or none of the facts that their rows list; None without."""
    listing = {
        name: [row for row in artifacts.predictions.get(name, []) if row.get("lists_facts")]
        for name in ("base", "tuned")
    }
    if not listing["tuned"]:
        return None
    cells = {name: _counts(predictions) for name, predictions in listing.items()}
    return Table(
        ["facts in the answer", "base model", "tuned"],
        [
            [found, cells["base"][place], cells["tuned"][place]]
            for place, found in enumerate(("all", "some", "none"))
        ],
        "Required facts, of rows that list some",
    )


def _unsupported(artifacts: TaskArtifacts) -> Table | None:
    """The facts that answers assert most and nothing supports; None where they were not looked for.

    A list that names the same wrong command again and again says what the model has learned badly.
    """
    tuned = artifacts.predictions.get("tuned", [])
    if not any("unsupported" in row for row in tuned):
        return None
    counts = {
        name: Counter(
            fact
            for row in artifacts.predictions.get(name, [])
            for fact in row.get("unsupported", [])
        )
        for name in ("base", "tuned")
    }
    listed = [fact for fact, _ in counts["tuned"].most_common(LISTED_FACTS)]
    return Table(
        ["unsupported", "base model", "tuned"],
        [
            ["in all", *(str(sum(counts[name].values())) for name in ("base", "tuned"))],
            *([fact, *(str(counts[name][fact]) for name in ("base", "tuned"))] for fact in listed),
        ],
        "Facts in answers that neither prompt nor section has: the tuned model's most frequent",
    )


def _counts(predictions: Sequence[Row]) -> list[str]:
    """Rows with all, some and none of their facts."""
    rates = [row["facts_found"] for row in predictions]
    every, none = sum(rate >= 100 for rate in rates), sum(rate <= 0 for rate in rates)
    counts = (every, len(rates) - every - none, none)
    return [numbers.share(count, len(rates)) for count in counts]


REPORT = KindReport(
    description="responses to instructions",
    series=(
        Series(label="words of a prompt", value=lambda row: len(_prompt(row).split())),
        Series(label="words of a response", value=lambda row: len(row["response"].split())),
    ),
    loss=_loss,
    quality=_quality,
)
