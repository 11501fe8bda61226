"""How summaries are served: `/summarize`."""

from typing import Any

from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt, TextEval
from finetune.inference import texts
from finetune.inference.predict import Request
from finetune.serving.typed import Endpoint, Shown, Text, TypedAnswer, TypedRequest
from finetune.tasks.summarization.rows import Row, clean

EXAMPLE = (
    "Anna: Are we still on for dinner tonight?\n"
    "Tom: Yes, but can we make it eight? I have to finish a report.\n"
    "Anna: Sure, I'll move the booking. The usual place?\n"
    "Tom: Perfect, see you there."
)


class SummarizeRequest(TypedRequest):
    """A text to summarize."""

    text: Text


class SummarizeAnswer(TypedAnswer):
    """A summary; `hit_length_cap` if it did not end before its maximum of tokens."""

    summary: str
    hit_length_cap: bool


def row(text: str, _: Prompt) -> TaskRow:
    """The text as a row of the pipeline, without a summary."""
    return clean({"id": "request", "dialogue": text, "summary": ""})


def answers(request: Request[Row, TextEval]) -> list[dict[str, Any]]:
    """The summaries as `predict` writes them."""
    generated = request.engine.generate(
        texts.generation_context(request),
        [prompt.ids for prompt in request.prompts],
        None,
        request.eval,
    )
    return [
        {"summary": answer.text, "hit_length_cap": answer.hit_length_cap} for answer in generated
    ]


SERVE = Endpoint(
    path="/summarize",
    title="Summarize a dialogue",
    request=SummarizeRequest,
    answer=SummarizeAnswer,
    input="text",
    prediction="summary",
    example=EXAMPLE,
    row=row,
    answers=answers,
    shown=(Shown("summary", "Summary"),),
)
