"""ROUGE as a metric module of `evaluate`, which `evaluate.load` takes by this file's path.

    evaluate.load("src/finetune/scoring/rouge_metric.py").compute(
        predictions=["the cat sat"], references=["the cat sat on the mat"], use_stemmer=True
    )

A row may have several references, a list of texts: each of its scores is then the best over them,
as `rouge_score.RougeScorer.score_multi` has it.

The library's own ROUGE is fetched from the hub at run time, and averages by an unseeded bootstrap:
the same rows then give another figure with every call. Here the average is the plain mean, or, with
`use_aggregator=False`, there is none and every row keeps its scores.
"""

import datasets
import evaluate
from rouge_score import rouge_scorer

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")


class Rouge(evaluate.Metric):
    """F1 of ROUGE-1, -2, -L and -Lsum, 0–100; an empty prediction scores 0.

    ROUGE-L takes a text as one sentence, ROUGE-Lsum one a line. Lin 2004, "ROUGE: A Package for
    Automatic Evaluation of Summaries".
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
        scorer = rouge_scorer.RougeScorer(ROUGE_TYPES, use_stemmer=use_stemmer)
        rows = [
            scorer.score_multi([reference] if isinstance(reference, str) else reference, prediction)
            for prediction, reference in zip(predictions, references, strict=True)
        ]
        scores = {name: [100 * row[name].fmeasure for row in rows] for name in ROUGE_TYPES}
        if not use_aggregator:
            return scores
        return {name: sum(values) / len(values) for name, values in scores.items()}
