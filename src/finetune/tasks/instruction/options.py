"""Parameters of a task whose rows are instructions with responses."""

from finetune.core import schema
from finetune.core.schema import RowFields, TextEval


class InstructionScore(schema.Score):
    """Scoring options of responses."""

    stemmer: bool


class Task(schema.Task):
    """A data set of instructions, some with a context, and responses.

    `facts` are texts that a good response contains.
    """

    fields = RowFields(
        "instruction",
        frozenset({"instruction", "response"}),
        optional=frozenset({"context", "facts"}),
        several=frozenset({"facts"}),
    )

    eval: TextEval
    score: InstructionScore
