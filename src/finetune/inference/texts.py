"""Answers that are texts: what the kinds share whose models write."""

from collections.abc import Sequence
from typing import Any

from finetune.core.rows import TaskRow
from finetune.core.schema import TextEval
from finetune.inference.generate import Generated, GenerationContext
from finetune.inference.predict import EvalT, Prediction, Request, RowT
from finetune.modeling.prompts import Encoded


def answers(request: Request[RowT, TextEval]) -> list[Prediction]:
    """For each row `id`, `prediction`, flags, and the likelihood of its completion."""
    completions = encoded_completions(request)
    generated = request.engine.generate(
        generation_context(request),
        [prompt.ids for prompt in request.prompts],
        [completion.ids for completion in completions],
        request.eval,
    )
    return predictions(request.rows, generated, completions)


def encoded_completions(request: Request[RowT, EvalT]) -> list[Encoded]:
    """What the rows' answers should be, as ids."""
    return [request.encoder.encode_completion(row.completion) for row in request.rows]


def generation_context(request: Request[RowT, EvalT]) -> GenerationContext:
    """What decoding strategies need of a request."""
    return GenerationContext(
        request.model,
        request.base.tokenizer,
        request.budgets,
        request.encoder.prompt.max_completion_tokens,
        request.what,
    )


def predictions(
    rows: Sequence[TaskRow], generated: Sequence[Generated], completions: Sequence[Encoded]
) -> list[Prediction]:
    """One generated answer to each row, with flags and the likelihood of the row's completion.

    `reference_nll` is the negative log-likelihood in nats of the completion after the row's prompt,
    summed over `reference_tokens`; of a `reference_truncated` one, of its beginning.
    """
    return [
        {
            "id": row.id,
            "prediction": answer.text,
            "hit_length_cap": answer.hit_length_cap,
            "empty": not answer.text,
            "reference_nll": round(answer.reference_nll or 0.0, 4),
            "reference_tokens": len(completion.ids),
            "reference_truncated": completion.truncated,
        }
        for row, answer, completion in zip(rows, generated, completions, strict=True)
    ]


def with_references(
    predictions: Sequence[Prediction], references: Sequence[dict[str, Any]]
) -> list[Prediction]:
    """The predictions, each with what it is held against, after its id and text."""
    return [
        {"id": prediction["id"], "prediction": prediction["prediction"], **reference, **prediction}
        for prediction, reference in zip(predictions, references, strict=True)
    ]
