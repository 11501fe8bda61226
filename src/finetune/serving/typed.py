"""What a kind of task brings to the server: an endpoint with types of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field

from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt
from finetune.serving.openai import Asked


class TypedRequest(Asked):
    """What every typed endpoint is asked; a kind adds the field that the model reads.

    `model` is one of those of this endpoint, by default the first. A text that does not fit the
    model's prompt is refused, unless `truncate` says that a part of it may be left out.
    """

    model: str | None = None
    truncate: bool = False


class TypedAnswer(BaseModel):
    """What every typed endpoint answers; a kind adds its fields."""

    model: str
    prompt_truncated: bool


# A text that a model is to read.
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class Shown:
    """How the page shows a field of the answer: `form` is text, number, range or percent.

    `unit` is a field of the answer whose value stands behind the number.
    """

    field: str
    label: str
    form: str = "text"
    unit: str | None = None


@dataclass(frozen=True)
class Endpoint:
    """A kind's typed endpoint.

    path: such as `/summarize`.
    title: what is done there, for the page.
    request, answer: the types of its JSON.
    input: the field of the request that the model reads.
    prediction: the field of the answer that is what `predict` calls the prediction, null where the
        model has none.
    example: such an input, for the page.
    row: the request's row, cleaned as the pipeline cleans rows; ValueError says what is wrong.
    answers: the fields of the answers, beside those of `TypedAnswer`, given an
        `inference.predict.Request`.
    shown: fields of the answer in the order in which the page shows them.
    """

    path: str
    title: str
    request: type[TypedRequest]
    answer: type[TypedAnswer]
    input: str
    prediction: str
    example: str
    row: Callable[[str, Prompt], TaskRow]
    answers: Callable[[Any], list[dict[str, Any]]]
    shown: Sequence[Shown]
