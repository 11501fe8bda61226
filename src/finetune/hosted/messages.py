"""Prompts and completions as messages of a chat, and the JSON lines that a provider trains on."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from finetune.core.errors import DataError
from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt
from finetune.hosted.prices import estimated_tokens

Message = dict[str, str]

# What OpenAI takes, and others too.
MIN_ROWS, MAX_BYTES = 10, 512 * 10**6
# Special tokens of chat models, `<|im_end|>`, `<s>`, `[INST]`: a text with one fails the whole job.
SPECIAL = re.compile(r"<\|[\w-]{1,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>")


def conversation(
    prompt: Prompt, body: str, shots: Sequence[tuple[str, str]] = (), answer: str | None = None
) -> list[Message]:
    """The messages that ask for an answer: examples as earlier turns, then the row.

    The texts are those that a model without a chat template is given. `shots` are texts with their
    answers; with `answer` the last turn is that.
    """
    turns = [
        message
        for text, target in shots
        for message in (_message("user", _question(prompt, text)), _message("assistant", target))
    ]
    turns.append(_message("user", _question(prompt, body)))
    return turns if answer is None else [*turns, _message("assistant", answer)]


def _question(prompt: Prompt, body: str) -> str:
    # There is no turn of the model's own to begin: the cue ends the question.
    return f"{prompt.instruction}\n\n{body}\n\n{prompt.cue}".strip()


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


@dataclass(frozen=True)
class TrainingFile:
    """JSON lines for a provider: rows that were written and left out, and tokens (estimated)."""

    content: bytes
    rows: int
    empty: int
    special: int
    tokens: int


def training_file(rows: Sequence[TaskRow], prompt: Prompt) -> TrainingFile:
    """The rows as a provider's JSON lines, each checked; what it would not take is left out."""
    lines: list[str] = []
    empty = special = tokens = 0
    for row in rows:
        asked = row.for_prompt(prompt)
        messages = conversation(prompt, asked.input, answer=asked.completion)
        if not (asked.input.strip() and asked.completion.strip()):
            empty += 1
        elif any(SPECIAL.search(message["content"]) for message in messages):
            special += 1
        else:
            tokens += estimated_tokens(messages)
            lines.append(json.dumps({"messages": messages}, ensure_ascii=False))
    content = "".join(f"{line}\n" for line in lines).encode()
    return TrainingFile(content, len(lines), empty, special, tokens)


def check(file: TrainingFile, what: str) -> None:
    """See that a provider will take a file.

    Raises:
        DataError: it has too few rows, or is too large.
    """
    if file.rows < MIN_ROWS:
        left_out = file.empty + file.special
        raise DataError(
            f"{what}: has {file.rows} rows that a provider takes ({left_out} left out), and needs "
            f"{MIN_ROWS}; raise data.limit, or give more data"
        )
    if len(file.content) > MAX_BYTES:
        raise DataError(
            f"{what}: is {len(file.content) / 10**6:.0f} MB as JSON lines, and providers take "
            f"{MAX_BYTES // 10**6}; lower data.limit"
        )
