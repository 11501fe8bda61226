"""Requests and answers in the shapes of the OpenAI API.

A parameter that would change the answer and that this server does not have is refused, not ignored.
One that is null asks for nothing: OpenAI's API lets most of them be, and clients send them so.
"""

import secrets
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finetune.serving.decoding import Completion

One = Annotated[float, Field(ge=1, le=1)]
Zero = Annotated[float, Field(ge=0, le=0)]
Stop = Annotated[str, Field(min_length=1, max_length=64)]
Tokens = Annotated[int, Field(ge=1)]
MAX_MESSAGES = 64


class Asked(BaseModel):
    """An object of a request; of its fields those that are null are taken as absent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}


class StreamOptions(Asked):
    """What a stream has beside its text."""

    include_usage: bool = False


class Sampling(Asked):
    """How a text is continued: greedily, unless `temperature` is above 0.

    `top_p`, `n` and penalties are taken at the values at which they do nothing; `user`, `metadata`
    and `store` change no answer. `truncate` is ours: a part of a text that does not fit may be
    left out.
    """

    model: str
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    top_p: One | None = None
    frequency_penalty: Zero | None = None
    presence_penalty: Zero | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    truncate: bool = False

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts before which an answer ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def wanted_tokens(self) -> int | None:
        """The maximum of new tokens, by either name."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the count of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


class Part(Asked):
    """A part of a message: text alone."""

    type: Literal["text"]
    text: str


class Message(Asked):
    """A message of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[Part], Field(min_length=1, max_length=16)]
    name: str | None = None

    @property
    def text(self) -> str:
        """The content as one text."""
        parts = [] if isinstance(self.content, str) else self.content
        return self.content if isinstance(self.content, str) else "".join(p.text for p in parts)


class ChatRequest(Sampling):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]


class CompletionRequest(Sampling):
    """`POST /v1/completions`: texts, or their token ids, continued as they are."""

    prompt: str | list[str] | list[int] | list[list[int]]

    @property
    def prompts(self) -> list[str | list[int]]:
        """One or several."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if self.prompt and isinstance(self.prompt[0], int):
            return [self.prompt]
        return list(self.prompt)  # type: ignore[arg-type]


class Envelope:
    """What all chunks of an answer, or the answer as a whole, have in common."""

    def __init__(self, model: str, is_chat: bool) -> None:
        self._model, self._is_chat = model, is_chat
        self._id = f"{'chatcmpl' if is_chat else 'cmpl'}-{secrets.token_hex(12)}"
        self._created = int(time.time())

    def whole(self, completions: Sequence[Completion], prompt_tokens: int) -> dict[str, Any]:
        """An answer that is not streamed."""
        choices = []
        for index, each in enumerate(completions):
            content = (
                {"message": {"role": "assistant", "content": each.text}}
                if self._is_chat
                else {"text": each.text}
            )
            choices.append({"index": index, **content, **_finish(each)})
        written = sum(each.num_tokens for each in completions)
        kind = "chat.completion" if self._is_chat else "text_completion"
        return {**self._head(kind), "choices": choices, "usage": usage(prompt_tokens, written)}

    def chunk(self, text: str, is_first: bool) -> dict[str, Any]:
        """A piece of a stream."""
        delta = {"role": "assistant", "content": text} if is_first else {"content": text}
        return self._piece(delta, text, {"finish_reason": None, "logprobs": None})

    def last(self, completion: Completion) -> dict[str, Any]:
        """The piece that says why the answer ends."""
        return self._piece({}, "", _finish(completion))

    def usage_chunk(self, prompt_tokens: int, completion: Completion) -> dict[str, Any]:
        """The piece after it, where the client asked for it."""
        counts = usage(prompt_tokens, completion.num_tokens)
        return {**self._head(self._chunk_kind), "choices": [], "usage": counts}

    def _piece(self, delta: dict[str, str], text: str, rest: dict[str, Any]) -> dict[str, Any]:
        content: dict[str, Any] = {"delta": delta} if self._is_chat else {"text": text}
        return {**self._head(self._chunk_kind), "choices": [{"index": 0, **content, **rest}]}

    @property
    def _chunk_kind(self) -> str:
        return "chat.completion.chunk" if self._is_chat else "text_completion"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}


def _finish(completion: Completion) -> dict[str, Any]:
    return {"finish_reason": "length" if completion.hit_length_cap else "stop", "logprobs": None}


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """The count of tokens."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
