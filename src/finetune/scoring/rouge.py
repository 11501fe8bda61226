"""ROUGE per row, computed by Google's `rouge_score`.

`rouge_metric` offers the same as a metric module of `evaluate`. The pipeline does not use it: that
library imports torch, which scoring does not need.
"""

from collections.abc import Iterable, Sequence

from finetune.scoring import sentences

LSUM = "rougeLsum"
NAMES = ("rouge1", "rouge2", "rougeL", LSUM)


def rouge(
    pairs: Iterable[tuple[str, str | Sequence[str]]],
    stemmer: bool,
    names: Sequence[str] = NAMES,
) -> list[dict[str, float]]:
    """F1 of ROUGE-1, -2, -L and -Lsum, 0–100, for each (prediction, reference or references).

    ROUGE-L takes a text for one sentence; ROUGE-Lsum takes the sentences of `sentences.split`, of
    both sides. An empty prediction scores 0. With several references, each score is the maximum
    over them. `names` are those to compute. Lin 2004, "ROUGE: A Package for Automatic Evaluation
    of Summaries".
    """
    # Imported here: it takes a second (NLTK), and kinds without texts do not need it.
    from rouge_score import rouge_scorer

    whole, by_sentence = (
        rouge_scorer.RougeScorer(
            [name for name in names if (name == LSUM) is of_sentences], stemmer
        )
        for of_sentences in (False, True)
    )
    rows = []
    for prediction, references in pairs:
        texts = [references] if isinstance(references, str) else list(references)
        scores = whole.score_multi(texts, prediction)
        if LSUM in names:
            # The library takes each line for a sentence.
            scores |= by_sentence.score_multi(list(map(_lines, texts)), _lines(prediction))
        rows.append({name: 100 * scores[name].fmeasure for name in names})
    return rows


def _lines(text: str) -> str:
    """The text with a sentence a line."""
    return "\n".join(sentences.split(text))
