"""ROUGE as a metric module of `evaluate`, to be loaded by this file's path.

    evaluate.load("src/finetune/scoring/rouge_metric.py").compute(
        predictions=["the cat sat"], references=["the cat sat on the mat"], use_stemmer=True
    )

A row may have several references, a list of texts: each of its scores is then the maximum over
them, as in `rouge_score.RougeScorer.score_multi`.

The library's own ROUGE is downloaded from the hub at run time and averages by an unseeded
bootstrap, so that every call gives other scores. This one returns the mean over rows, or, with
`use_aggregator=False`, the scores of every row.
"""

import datasets
import evaluate

from finetune.scoring.rouge import NAMES, rouge


class Rouge(evaluate.Metric):
    """F1 of ROUGE-1, -2, -L and -Lsum, 0–100; an empty prediction scores 0.

    ROUGE-L takes a text for one sentence, ROUGE-Lsum splits predictions and references into theirs
    (`finetune.scoring.sentences`). Lin 2004, "ROUGE: A Package for Automatic Evaluation of
    Summaries".
    """

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=__doc__ or "",
            citation="Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries",
            inputs_description=(
                "predictions: one text a row; references: one text a row, or a list of texts in "
                "every row; use_stemmer: Porter's"
            ),
            features=[
                datasets.Features({"predictions": text, "references": text}),
                datasets.Features({"predictions": text, "references": datasets.List(text)}),
            ],
        )

    def _compute(
        self,
        predictions: list[str],
        references: list[str] | list[list[str]],
        use_stemmer: bool = False,
        use_aggregator: bool = True,
    ) -> dict[str, float] | dict[str, list[float]]:
        rows = rouge(zip(predictions, references, strict=True), use_stemmer)
        scores = {name: [row[name] for row in rows] for name in NAMES}
        if not use_aggregator:
            return scores
        return {name: sum(values) / len(values) for name, values in scores.items()}
