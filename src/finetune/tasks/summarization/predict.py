"""How a model is asked for summaries: it writes them."""

from finetune.core.schema import TextEval
from finetune.inference import texts, written
from finetune.inference.predict import Prediction, Request
from finetune.inference.written import TextRequest
from finetune.tasks.summarization.rows import Row


def answers(request: Request[Row, TextEval]) -> list[Prediction]:
    """Summaries, and how likely the model finds the references."""
    return texts.with_references(texts.answers(request), [_references(row) for row in request.rows])


def from_texts(request: TextRequest[Row, TextEval]) -> list[Prediction]:
    """Summaries of a model that gives no likelihoods."""
    return texts.with_references(written.texts(request), [_references(row) for row in request.rows])


def _references(row: Row) -> Prediction:
    several = {"references": list(row.references)} if row.references else {}
    return {"reference": row.summary, **several}
