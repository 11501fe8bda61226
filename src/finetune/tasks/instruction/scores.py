"""How responses are scored: by ROUGE, by required facts, and by how likely references are.

With `score.domain_facts` also by the facts of the references, and by those that nothing supports.
"""

import re
from collections.abc import Sequence
from typing import Any

from finetune.core.schema import Bootstrap
from finetune.scoring import domain_facts, ratios, rouge
from finetune.scoring.metrics import (
    FLAGS as TEXT_FLAGS,
)
from finetune.scoring.metrics import (
    Group,
    Grouping,
    Metric,
    Prediction,
    Row,
    band,
    rounded,
)
from finetune.scoring.text_metrics import (
    DRAW_AGREEMENT,
    LENGTH_RATIO,
    PERPLEXITY,
    ROUGE_1,
    ROUGE_2,
    ROUGE_L,
    rouge_between,
)
from finetune.tasks.instruction.options import InstructionScore

FLAGS = TEXT_FLAGS
METRICS = (
    ROUGE_1,
    ROUGE_2,
    ROUGE_L,
    Metric(
        key="facts_found",
        columns=("facts_found", "lists_facts"),
        statistic=ratios.ratio,
        title="required facts found",
        meaning="of the facts that a row lists, those in the answer; mean over rows that list some",
        unit="%",
        decimals=1,
        is_percentage=True,
        in_readme=True,
    ),
    Metric(
        key="domain_accuracy",
        columns=("domain_accuracy", "has_domain_facts"),
        statistic=ratios.ratio,
        title="domain accuracy",
        meaning="of a reference's facts (code, names, numbers, key words) that the question does "
        "not say, those in the answer; mean over rows with some",
        unit="%",
        decimals=1,
        is_percentage=True,
        in_readme=True,
        in_groups=True,
    ),
    Metric(
        key="unsupported_facts",
        columns=("unsupported_facts", "asserts_facts"),
        statistic=ratios.ratio,
        title="unsupported facts",
        meaning="of an answer's code, names and numbers, those that neither the prompt nor the "
        "reference's section has; mean over answers with some",
        unit="%",
        decimals=1,
        higher_is_better=False,
        is_percentage=True,
        in_readme=True,
    ),
    LENGTH_RATIO,
    PERPLEXITY,
    DRAW_AGREEMENT,
)
# Lower ends of bands of a prompt's length: a question alone is short, a context is not.
WORDS = (0, 26, 101, 201)


def _context(row: Row) -> Group:
    return (0, "with context") if row.get("context") else (1, "without context")


def _length(row: Row) -> Group:
    text = f"{row['instruction']} {row.get('context', '')}"
    return band(len(text.split()), WORDS, "words")


GROUPINGS = (Grouping("context", _context), Grouping("length", _length))


def missing_facts(facts: Sequence[str], answer: str) -> list[str]:
    """The facts that an answer lacks: as whole words, whatever their case and the blanks between.

    "12" is not in "120", nor "art" in "party".
    """
    text = " ".join(answer.split()).casefold()
    return [
        fact
        for fact in facts
        if not re.search(rf"(?<!\w){re.escape(' '.join(fact.split()).casefold())}(?!\w)", text)
    ]


def score(
    rows: Sequence[Row], predictions: Sequence[Prediction], options: InstructionScore
) -> list[Prediction]:
    """Responses scored by ROUGE and, where any row lists facts, by how many of its own each has.

    `facts_found` is the percentage of a row's facts; of rows without facts (`lists_facts` is 0)
    it is 0 and counts nothing. The same goes for the columns of `options.domain_facts`.
    """
    pairs = [(p["prediction"], row["response"]) for row, p in zip(rows, predictions, strict=True)]
    list_facts = any(row.get("facts") for row in rows)
    scored: list[Prediction] = []
    # No ROUGE-Lsum: much of a response, such as lists and code, is not made of sentences.
    names = ("rouge1", "rouge2", "rougeL")
    for row, prediction, scores in zip(
        rows, predictions, rouge.rouge(pairs, options.stemmer, names), strict=True
    ):
        words = {
            "prediction_words": len(prediction["prediction"].split()),
            "reference_words": len(row["response"].split()),
        }
        facts = _facts(row, prediction["prediction"]) if list_facts else {}
        if options.domain_facts:
            facts |= _domain_facts(row, prediction["prediction"])
        known = {"id": row["id"], "reference": row["response"]}
        scored.append({**known, **prediction, **rounded(scores), **words, **facts})
    return scored


def _facts(row: Row, answer: str) -> dict[str, Any]:
    facts = row.get("facts") or []
    missing = missing_facts(facts, answer)
    found = 100 * (1 - len(missing) / len(facts)) if facts else 0.0
    return {
        "facts_found": round(found, 4),
        "lists_facts": int(bool(facts)),
        "missing_facts": missing,
    }


def _domain_facts(row: Row, answer: str) -> dict[str, Any]:
    context = row.get("context") or ""
    recall = domain_facts.recall(answer, row["response"], row["instruction"])
    sources = (row["instruction"], context, row["response"], row.get("section") or "")
    asserted = domain_facts.asserted(answer)
    unsupported = domain_facts.unsupported(answer, *sources)
    return {
        "domain_accuracy": round(recall.percent, 4),
        "has_domain_facts": int(bool(recall.found or recall.missing)),
        "missing_domain_facts": recall.missing,
        "unsupported_facts": round(100 * len(unsupported) / max(1, len(asserted)), 4),
        "asserts_facts": int(bool(asserted)),
        "unsupported": unsupported,
    }


def draw_agreement(
    pairs: Sequence[tuple[Prediction, Prediction]], options: InstructionScore
) -> list[float]:
    """ROUGE-L between two answers to a row."""
    return rouge_between(pairs, options.stemmer)


def details(predictions: Sequence[Prediction], options: Bootstrap) -> dict[str, Any]:
    """How many rows list facts, where any does; likewise of domain facts."""
    counts = {
        "rows_with_facts": sum(row.get("lists_facts", 0) for row in predictions),
        "rows_with_domain_facts": sum(row.get("has_domain_facts", 0) for row in predictions),
        "answers_that_assert_facts": sum(row.get("asserts_facts", 0) for row in predictions),
    }
    return {name: count for name, count in counts.items() if count}
