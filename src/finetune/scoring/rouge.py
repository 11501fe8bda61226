"""ROUGE of single rows, by the project's own metric module of `evaluate`."""

from collections.abc import Iterable, Sequence
from pathlib import Path

NAMES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
MODULE = Path(__file__).with_name("rouge_metric.py")


def rouge(
    pairs: Iterable[tuple[str, str | Sequence[str]]], stemmer: bool
) -> list[dict[str, float]]:
    """F1 of ROUGE-1, -2, -L and -Lsum, 0–100, for each (prediction, reference or references).

    See `rouge_metric` for what they are; an empty prediction scores 0. Of several references each
    score is that of the one for which it is best.
    """
    # Takes seconds to import (it brings the data sets' library), which price tasks need not wait.
    import evaluate

    predictions, references = zip(*pairs, strict=True)
    lists = [[texts] if isinstance(texts, str) else texts for texts in references]
    scores = evaluate.load(str(MODULE), keep_in_memory=True).compute(
        predictions=[_encodable(text) for text in predictions],
        references=[[_encodable(text) for text in texts] for texts in lists],
        use_stemmer=stemmer,
        use_aggregator=False,
    )
    return [dict(zip(NAMES, row, strict=True)) for row in zip(*map(scores.get, NAMES), strict=True)]


def _encodable(text: str) -> str:
    """Without half a surrogate pair, which JSON may hold and Arrow refuses; no word has one."""
    return text.encode(errors="replace").decode()
