"""How summaries are scored: by ROUGE, by what they assert, and by how likely references are."""

from collections.abc import Sequence
from typing import Any

from finetune.core.schema import Bootstrap
from finetune.scoring import facts, ratios, rouge
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
from finetune.tasks.summarization.options import SummaryScore

FLAGS = TEXT_FLAGS
METRICS = (
    Metric(
        key="rouge1",
        columns=("rouge1",),
        title="ROUGE-1",
        meaning="words shared with the reference (F1, 0 to 100)",
        unit="points",
        decimals=1,
        in_readme=True,
        in_groups=True,
    ),
    Metric(
        key="rouge2",
        columns=("rouge2",),
        title="ROUGE-2",
        meaning="pairs of neighbouring words shared with it",
        unit="points",
        decimals=1,
        in_readme=True,
        in_groups=True,
    ),
    Metric(
        key="rougeL",
        columns=("rougeL",),
        title="ROUGE-L",
        meaning="the longest run of words shared with it, in order, gaps allowed",
        unit="points",
        decimals=1,
        in_readme=True,
        in_groups=True,
    ),
    Metric(
        key="rougeLsum",
        columns=("rougeLsum",),
        title="ROUGE-Lsum",
        meaning="the same, line by line",
        unit="points",
        decimals=1,
        in_groups=True,
    ),
    Metric(
        key="length_ratio",
        columns=("prediction_words", "reference_words"),
        statistic=ratios.ratio,
        title="length ratio",
        meaning="words written for each word of the references; at 1 they are as long",
        higher_is_better=None,
    ),
    Metric(
        key="unsupported_rate",
        columns=("has_unsupported",),
        title="with unsupported facts",
        meaning="summaries with a name, number, time or day that stands nowhere in the dialogue",
        unit="%",
        decimals=1,
        higher_is_better=False,
        is_rate=True,
    ),
    Metric(
        key="perplexity",
        columns=("reference_nll", "reference_tokens"),
        statistic=ratios.perplexity,
        title="perplexity",
        meaning="how unlikely the references are to the model, per token; 1 is certain",
        higher_is_better=False,
        # Per token: of other tokens, or of references truncated elsewhere, it is another quantity.
        alike=("reference_tokens",),
    ),
)
# Lower ends of bands; real dialogues have 94 words on average.
WORDS = (0, 51, 101, 201)


def _length(row: Row) -> Group:
    return band(len(row["dialogue"].split()), WORDS, "words")


GROUPINGS = (Grouping("length", _length),)


def score(
    rows: Sequence[Row], predictions: Sequence[Prediction], options: SummaryScore
) -> list[Prediction]:
    """Summaries scored by ROUGE, and by the facts that the dialogue does not hold.

    Of several references, which a row then lists, each score is that of the best one; `reference`
    is the first, and the length ratio is to it.
    """
    references = [row.get("references") or [row["summary"]] for row in rows]
    pairs = [(p["prediction"], of_row) for p, of_row in zip(predictions, references, strict=True)]
    scored: list[Prediction] = []
    for row, prediction, of_row, scores in zip(
        rows, predictions, references, rouge.rouge(pairs, options.stemmer), strict=True
    ):
        known: Prediction = {"id": row["id"], "reference": of_row[0]}
        if len(of_row) > 1:
            known["references"] = list(of_row)
        words = {
            "prediction_words": len(prediction["prediction"].split()),
            "reference_words": len(of_row[0].split()),
        }
        unsupported = facts.unsupported(prediction["prediction"], row["dialogue"])
        asserted = {"unsupported": unsupported, "has_unsupported": 100.0 * bool(unsupported)}
        scored.append({**known, **prediction, **rounded(scores), **words, **asserted})
    return scored


def details(predictions: Sequence[Prediction], options: Bootstrap) -> dict[str, Any]:
    """Nothing beside the scores."""
    return {}
