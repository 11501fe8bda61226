"""The ladder: what can be had without a language model. Which rungs run is the task's `ladder`."""

from finetune.tasks.rungs import prices, summaries
from finetune.tasks.rungs.rung import Rung

RUNGS: dict[str, Rung] = {
    "lead1": summaries.lead1,
    "lead3": summaries.lead3,
    "longest3": summaries.longest3,
    "lexrank": summaries.lexrank,
    "oracle3": summaries.oracle3,
    "mean": prices.mean,
    "median": prices.median,
    "category_median": prices.category_median,
    "ridge": prices.ridge,
    "svr": prices.svr,
    "random_forest": prices.random_forest,
    "boosting": prices.boosting,
    "neighbours": prices.neighbours,
}
