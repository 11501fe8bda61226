"""ROUGE of single rows, straight from `rouge_score`."""

from collections.abc import Iterable

from finetune.progress import progress

NAMES = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def rouge(pairs: Iterable[tuple[str, str]], stemmer: bool) -> list[dict[str, float]]:
    """F1 of ROUGE-1, -2, -L and -Lsum in points (0–100) for each (prediction, reference).

    An empty prediction scores 0. ROUGE-L takes a text as one sentence, ROUGE-Lsum one a line.
    Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries".
    """
    # Takes seconds to import (it brings NLTK), which price tasks need not wait.
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(NAMES, use_stemmer=stemmer)
    scores = []
    for prediction, reference in progress(list(pairs), "score", "row"):
        row = scorer.score(target=reference, prediction=prediction)
        scores.append({name: 100 * row[name].fmeasure for name in NAMES})
    return scores
