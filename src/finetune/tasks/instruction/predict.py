"""How a model is asked to follow instructions: it writes its responses."""

from collections.abc import Sequence

from finetune.core.schema import TextEval
from finetune.inference import texts, written
from finetune.inference.predict import Prediction, Request
from finetune.inference.written import TextRequest
from finetune.tasks.instruction.rows import Row


def answers(request: Request[Row, TextEval]) -> list[Prediction]:
    """Responses, and how likely the model finds the references."""
    return texts.with_references(texts.answers(request), _references(request.rows))


def from_texts(request: TextRequest[Row, TextEval]) -> list[Prediction]:
    """Responses of a model that gives no likelihoods."""
    return texts.with_references(written.texts(request), _references(request.rows))


def _references(rows: Sequence[Row]) -> list[Prediction]:
    return [{"reference": row.response} for row in rows]
