"""Parameters of a task whose rows are instructions with responses."""

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from finetune.core import schema
from finetune.core.schema import RowFields, TextEval


class InstructionScore(schema.Score):
    """Scoring options of responses; with `domain_facts` they are scored by facts too.

    See `scoring.domain_facts` for what a fact is.
    """

    stemmer: bool
    domain_facts: bool = False

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Metric files of tasks without the option stay as they were."""
        dumped: dict[str, Any] = dump(self)
        return {k: v for k, v in dumped.items() if k != "domain_facts" or v}


class Task(schema.Task):
    """A data set of instructions, some with a context, and responses.

    `facts` are texts that a good response contains; `section` is the text that a response was
    taken from, which no model reads: what is said beside it is unsupported.
    """

    fields = RowFields(
        "instruction",
        frozenset({"instruction", "response"}),
        optional=frozenset({"context", "facts", "section"}),
        several=frozenset({"facts"}),
        below_input=("context",),
    )

    eval: TextEval
    score: InstructionScore
