"""The metrics that kinds share whose answers are texts.

Their columns come from `scoring.rouge`, from counts of words, and from `inference.texts`.
"""

from collections.abc import Sequence

from finetune.scoring import draws, ratios, rouge
from finetune.scoring.metrics import Metric, Prediction

ROUGE_1 = Metric(
    key="rouge1",
    columns=("rouge1",),
    title="ROUGE-1",
    meaning="words shared with the reference (F1, 0 to 100)",
    unit="points",
    decimals=1,
    in_readme=True,
    in_groups=True,
)
ROUGE_2 = Metric(
    key="rouge2",
    columns=("rouge2",),
    title="ROUGE-2",
    meaning="pairs of neighbouring words shared with it",
    unit="points",
    decimals=1,
    in_readme=True,
    in_groups=True,
)
ROUGE_L = Metric(
    key="rougeL",
    columns=("rougeL",),
    title="ROUGE-L",
    meaning="the longest run of words shared with it, in order, gaps allowed",
    unit="points",
    decimals=1,
    in_readme=True,
    in_groups=True,
)
# The column of rows. Earlier runs have a column `rougeLsum` of texts that were not split into
# sentences, another quantity: under another name, a comparison with one finds the score in one of
# the two only, and says so.
LSUM_COLUMN = "rougeLsum_by_sentence"
ROUGE_LSUM = Metric(
    key="rougeLsum",
    columns=(LSUM_COLUMN,),
    title="ROUGE-Lsum",
    meaning="the same, sentence by sentence",
    unit="points",
    decimals=1,
    in_groups=True,
)
LENGTH_RATIO = Metric(
    key="length_ratio",
    columns=("prediction_words", "reference_words"),
    statistic=ratios.ratio,
    title="length ratio",
    meaning="words written for each word of the references; at 1 they are as long",
    higher_is_better=None,
)
PERPLEXITY = Metric(
    key="perplexity",
    columns=("reference_nll", "reference_tokens"),
    statistic=ratios.perplexity,
    title="perplexity",
    meaning="how unlikely the references are to the model, per token; 1 is certain",
    higher_is_better=False,
    # Per token: of other tokens, or of references truncated elsewhere, it is another quantity.
    alike=("reference_tokens",),
)
DRAW_AGREEMENT = draws.agreement_metric(
    "ROUGE-L between the answers of two draws to one row, mean over all pairs"
)


def rouge_between(pairs: Sequence[tuple[Prediction, Prediction]], stemmer: bool) -> list[float]:
    """ROUGE-L (F1, 0 to 100) between the texts of each pair of answers; 100 for equal texts."""
    texts = [(one["prediction"], other["prediction"]) for one, other in pairs]
    scores = rouge.rouge(texts, stemmer, ("rougeL",))
    # ROUGE sees Latin letters and digits alone: of other texts it says 0.
    return [
        100.0 if one == other else score["rougeL"]
        for (one, other), score in zip(texts, scores, strict=True)
    ]
