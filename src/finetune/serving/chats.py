"""Chats and texts of clients as token ids."""

from collections.abc import Sequence

from finetune.core.errors import ModelError
from finetune.core.text import normalized
from finetune.modeling.prompts import Encoded, PromptEncoder, Shot
from finetune.serving.errors import ApiError


def encode(encoder: PromptEncoder, turns: Sequence[tuple[str, str]], truncate: bool) -> Encoded:
    """The prompt of a chat of (role, content), as the model's task has it.

    A question is the task's instruction and a text; a content without the instruction is the text
    alone. Earlier turns are examples, as in few-shot prompts. So one message gives the ids that
    `predict` makes of a row.

    Raises:
        ApiError: the chat has no such form, or does not fit the model's prompt.
    """
    *before, (role, content) = turns
    if role != "user":
        raise ApiError(400, f"the last message is of {role}, must be of user", param="messages")
    if any(role in ("system", "developer") for role, _ in before):
        raise ApiError(
            400,
            "a system message is not what this model was trained and measured with: leave it out; "
            "the task's instruction is added where a message does not begin with it",
            param="messages",
        )
    roles = [role for role, _ in before]
    if roles != ["user", "assistant"] * (len(before) // 2):
        raise ApiError(400, "messages must be of user and assistant by turns", param="messages")
    cue = encoder.prompt.cue
    shots = [
        Shot(body(encoder, question), answer.removeprefix(cue).strip())
        for (_, question), (_, answer) in zip(before[::2], before[1::2], strict=True)
    ]
    return fitting(encoder, body(encoder, content), truncate, shots)


def body(encoder: PromptEncoder, content: str) -> str:
    """The text of a question: what stands after the task's instruction, if that is there.

    Raises:
        ApiError: there is none.
    """
    text = stripped(encoder, content)
    if not text:
        raise ApiError(400, "a message holds no text", param="messages")
    return text


def stripped(encoder: PromptEncoder, content: str) -> str:
    """The text of a question, which may be empty."""
    text = normalized(content)
    instruction = normalized(encoder.prompt.instruction)
    return text.removeprefix(instruction).strip() if text.startswith(instruction) else text


def fitting(
    encoder: PromptEncoder, text: str, truncate: bool, shots: Sequence[Shot] = ()
) -> Encoded:
    """The prompt of a text.

    Raises:
        ApiError: it does not fit, and `truncate` does not say that it may be truncated.
    """
    try:
        encoded = encoder.encode(text, shots)
    except ModelError as error:
        raise ApiError(400, str(error), "context_length_exceeded") from error
    if not truncate and (encoded.truncated or encoded.shots < len(shots)):
        raise ApiError(
            400,
            f"the prompt does not fit: it may have {encoder.max_prompt_tokens} tokens, the "
            "instruction included; shorten it, or let a part of it be left out with truncate: true",
            "context_length_exceeded",
        )
    return encoded


def raw(encoder: PromptEncoder, text: str) -> list[int]:
    """The ids of a text as it is, without the task's instruction and chat template."""
    tokenizer = encoder.tokenizer
    has_start = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
    ids: list[int] = tokenizer(text, verbose=False, add_special_tokens=not has_start)["input_ids"]
    return ids
