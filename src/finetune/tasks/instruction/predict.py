"""How a model is asked to follow instructions: it writes its responses."""

from finetune.core.schema import TextEval
from finetune.inference import texts
from finetune.inference.predict import Prediction, Request
from finetune.tasks.instruction.rows import Row


def answers(request: Request[Row, TextEval]) -> list[Prediction]:
    """Responses, and how likely the model finds the references."""
    references: list[Prediction] = [{"reference": row.response} for row in request.rows]
    return texts.with_references(texts.answers(request), references)
