"""Parameters of a task whose answer is a number, with or without a worked solution before it."""

from typing import Annotated, Literal

from pydantic import Field

from finetune.core import schema
from finetune.core.schema import RowFields


class MathPrompt(schema.Prompt):
    """The prompt, and the `completion`: the worked solution, or the line of its answer alone."""

    completion: Literal["solution", "answer"]


class MathEval(schema.Eval):
    """How a model is asked: one greedy answer, or the majority of several that are sampled.

    `samples` and `temperature` belong to `self_consistency`.
    """

    strategy: Literal["greedy", "self_consistency"]
    samples: Annotated[int, Field(ge=2, le=10_000)]
    temperature: Annotated[float, Field(ge=0.01, le=100)]

    @property
    def is_random(self) -> bool:
        """Whether solutions are sampled."""
        return self.strategy == "self_consistency"


class MathScore(schema.Score):
    """Where the final answer of a text stands: after the `marker`, or what else is taken for it."""

    marker: Annotated[str, Field(pattern=r"\S")]
    fallback: Literal["none", "last_number"]


class Task(schema.Task):
    """A data set of questions with answers that are numbers; solutions may be a field apart."""

    fields = RowFields(
        "question", frozenset({"question", "answer"}), optional=frozenset({"solution"})
    )

    prompt: MathPrompt
    eval: MathEval
    score: MathScore
