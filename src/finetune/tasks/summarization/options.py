"""Parameters of a task whose answer is a summary."""

from finetune.core import schema
from finetune.core.schema import RowFields, TextEval


class SummaryScore(schema.Score):
    """Scoring options of summaries."""

    stemmer: bool


class Task(schema.Task):
    """A data set of dialogues, or other texts, with summaries."""

    fields = RowFields(
        "dialogue", frozenset({"dialogue", "summary"}), several=frozenset({"summary"})
    )

    has_speakers = True

    eval: TextEval
    score: SummaryScore
