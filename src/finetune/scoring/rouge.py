"""ROUGE per row, computed by Google's `rouge_score`.

`rouge_metric` offers the same as a metric module of `evaluate`. The pipeline does not use it: that
library imports torch, which scoring does not need.
"""

from collections.abc import Iterable, Sequence

NAMES = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def rouge(
    pairs: Iterable[tuple[str, str | Sequence[str]]], stemmer: bool
) -> list[dict[str, float]]:
    """F1 of ROUGE-1, -2, -L and -Lsum, 0–100, for each (prediction, reference or references).

    ROUGE-L treats a text as one sentence, ROUGE-Lsum each line. An empty prediction scores 0. With
    several references, each score is the maximum over them. Lin 2004, "ROUGE: A Package for
    Automatic Evaluation of Summaries".
    """
    # Imported here: it takes a second (NLTK), and kinds without texts do not need it.
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(NAMES, use_stemmer=stemmer)
    rows = []
    for prediction, references in pairs:
        texts = [references] if isinstance(references, str) else list(references)
        scores = scorer.score_multi(texts, prediction)
        rows.append({name: 100 * scores[name].fmeasure for name in NAMES})
    return rows
