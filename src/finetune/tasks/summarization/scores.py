"""How summaries are scored: by ROUGE, by what they assert, and by how likely references are."""

from collections.abc import Sequence
from typing import Any

from finetune.core.schema import Bootstrap
from finetune.scoring import facts, rouge, sentences
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
    LSUM_COLUMN,
    PERPLEXITY,
    ROUGE_1,
    ROUGE_2,
    ROUGE_L,
    ROUGE_LSUM,
    rouge_between,
)
from finetune.tasks.summarization.options import SummaryScore

FLAGS = TEXT_FLAGS
METRICS = (
    ROUGE_1,
    ROUGE_2,
    ROUGE_L,
    ROUGE_LSUM,
    LENGTH_RATIO,
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
    PERPLEXITY,
    DRAW_AGREEMENT,
)
PROTOCOL = {"sentences": sentences.SPLITTER}
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
        scores[LSUM_COLUMN] = scores.pop("rougeLsum")
        asserted = {"unsupported": unsupported, "has_unsupported": 100.0 * bool(unsupported)}
        scored.append({**known, **prediction, **rounded(scores), **words, **asserted})
    return scored


def draw_agreement(
    pairs: Sequence[tuple[Prediction, Prediction]], options: SummaryScore
) -> list[float]:
    """ROUGE-L between two answers to a row."""
    return rouge_between(pairs, options.stemmer)


def details(predictions: Sequence[Prediction], options: Bootstrap) -> dict[str, Any]:
    """Nothing beside the scores."""
    return {}
