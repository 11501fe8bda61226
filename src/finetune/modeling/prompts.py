"""Prompts and completions as token ids, encoded alike for training and inference."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from transformers import BatchEncoding, PreTrainedTokenizerBase

from finetune.core.errors import ModelError, squeezed
from finetune.core.schema import Prompt
from finetune.modeling.bounds import BoundExceededError, bounded

# Placeholders for the texts of a row and of a few-shot example in the check of a chat template.
ROW, EXAMPLE = "the text of this row", "the text of an example"
# Some chat templates write today's date into the prompt; pinned, or prompts change every day.
DATE = "26 Jul 2024"
# In place of the function by which others ask for it, whatever format they ask for.
DATE_MACRO = f"{{% macro strftime_now(format) %}}{DATE}{{% endmacro %}}"
# Stands in a text where its middle was left out.
OMITTED = " […] "

# A template takes a millisecond; one that loops or piles up text is not to take the machine.
TEMPLATE_SECONDS, TEMPLATE_MB = 10.0, 1024
# What a template raises that is none, or that asks for what is not there.
TEMPLATE_ERRORS = (
    TemplateError,
    BoundExceededError,
    ArithmeticError,  # a range beyond the sandbox's
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def dated(template: str) -> str:
    """A chat template that asks for the time, with the fixed date; others as they are.

    Of a newline after a block at the start transformers' templates make nothing (`trim_blocks`).
    """
    return f"{DATE_MACRO}\n{template}" if "strftime_now" in template else template


@dataclass(frozen=True)
class Encoded:
    """Token ids of a prompt or completion.

    truncated: the text was truncated to fit; shots: few-shot examples in the prompt.
    """

    ids: list[int]
    truncated: bool
    shots: int = 0


@dataclass(frozen=True)
class Shot:
    """A few-shot example: the text of a row and its answer."""

    body: str
    target: str


@dataclass(frozen=True)
class PromptEncoder:
    """Encodes rows' texts for one tokenizer, one task's prompt and one context length (tokens)."""

    tokenizer: PreTrainedTokenizerBase
    prompt: Prompt
    context: int

    def __post_init__(self) -> None:
        """Check the tokenizer, and that its chat template renders all parts of a prompt.

        Raises:
            ModelError: it does not, or the tokenizer does not say where its tokens stand in a text.
        """
        if not self.tokenizer.is_fast:
            raise ModelError(
                "model.name: its tokenizer is a slow one, which does not say where its tokens "
                "stand in a text; use a folder with a tokenizer.json"
            )
        self._check_template(())

    @functools.cached_property
    def _renders_examples(self) -> bool:
        self._check_template((Shot(EXAMPLE, "0"),))
        return True

    def _check_template(self, shots: Sequence[Shot]) -> None:
        if self.tokenizer.chat_template is None:
            return
        try:
            with bounded(TEMPLATE_SECONDS, TEMPLATE_MB):
                text = self.text(ROW, shots)
        except TEMPLATE_ERRORS as error:
            raise ModelError(
                f"model.name: the chat template of this tokenizer fails: {squeezed(error)}"
            ) from error
        instruction = self.prompt.instruction.strip()
        for part, what in (
            (ROW, "the row's text"),
            (instruction, "the instruction"),
            *((shot.body, "examples") for shot in shots),
        ):
            if part not in text:
                raise ModelError(
                    f"model.name: the chat template of this tokenizer leaves {what} out of the "
                    "prompt; is chat_template.jinja that of an instruction-tuned model?"
                )

    @property
    def max_prompt_tokens(self) -> int:
        """The maximum of tokens of a prompt such that the completion still fits the context."""
        return min(self.prompt.max_tokens, self.context - self.prompt.max_completion_tokens)

    def encode(self, body: str, shots: Sequence[Shot] = ()) -> Encoded:
        """The ids of a prompt; of a text that is too long a part of the body is left out.

        That is its middle, and `OMITTED` stands there, or its end: see `Prompt`.

        `prompt.max_tokens` bounds the prompt without examples, `truncate_shot` each example. The
        last examples are dropped until prompt and completion fit the model's context.

        Raises:
            ModelError: not even an empty body fits.
        """
        body, ids, truncated = self._truncate(body)
        if shots:
            _ = self._renders_examples
        for count in range(len(shots), 0, -1):
            with_shots = self._ids(body, shots[:count])
            if len(with_shots) <= self.context - self.prompt.max_completion_tokens:
                return Encoded(with_shots, truncated, count)
        return Encoded(ids, truncated)

    def truncate_shot(self, shot: Shot) -> Shot:
        """The example with its body truncated as `encode` truncates a row's."""
        return Shot(self._truncate(shot.body)[0], shot.target)

    def _truncate(self, body: str) -> tuple[str, list[int], bool]:
        """The body, truncated if need be, the ids of its prompt, and whether it was truncated."""
        ids = self._ids(body)
        if len(ids) <= self.max_prompt_tokens:
            return body, ids, False
        offsets = self._tokenized(body, add_special_tokens=False, return_offsets_mapping=True)[
            "offset_mapping"
        ]
        fitting = len(offsets) - (len(ids) - self.max_prompt_tokens)
        # Where there is no room for two ends and the mark, there is some for the beginning.
        is_middle = self.prompt.truncate == "middle"
        for without in (_without_middle, _without_end) if is_middle else (_without_end,):
            keep = fitting
            while keep > 0 and (shorter := without(body, offsets, keep)):
                ids = self._ids(shorter)
                if len(ids) <= self.max_prompt_tokens:
                    return shorter, ids, True
                # The mark takes tokens, and a token that is split becomes several: shorten the
                # text further until it fits.
                keep -= len(ids) - self.max_prompt_tokens
        raise ModelError(
            f"prompt.max_tokens: the instruction alone takes more than the "
            f"{self.max_prompt_tokens} tokens that a prompt may have (context {self.context}, "
            f"completion {self.prompt.max_completion_tokens})"
        )

    def encode_completion(self, target: str) -> Encoded:
        """The ids of an answer with the end token, which a model must learn, to stop generating.

        An answer that is too long is truncated, and then has no end token.
        """
        ids = [
            *self._tokenized(target, add_special_tokens=False)["input_ids"],
            self.tokenizer.eos_token_id,
        ]
        cap = self.prompt.max_completion_tokens
        return Encoded(ids[:cap], truncated=len(ids) > cap)

    def text(self, body: str, shots: Sequence[Shot] = ()) -> str:
        """The prompt as text: through the tokenizer's chat template, where it has one.

        Examples are earlier turns of the chat, with the cue before each answer; without a template
        they are blocks of text, each ended by the end token.
        """
        if self.tokenizer.chat_template is None:
            end = self.tokenizer.eos_token
            blocks = [f"{self._question(shot.body)}\n\n{self._answer(shot)}{end}" for shot in shots]
            return "\n\n".join([*blocks, self._question(body), self.prompt.cue])
        turns = [
            {"role": role, "content": content}
            for shot in shots
            for role, content in (
                ("user", self._question(shot.body)),
                ("assistant", self._answer(shot)),
            )
        ]
        rendered = self.tokenizer.apply_chat_template(
            [*turns, {"role": "user", "content": self._question(body)}],
            tokenize=False,
            add_generation_prompt=True,
            chat_template=dated(self.tokenizer.get_chat_template()),
            date_string=DATE,
            enable_thinking=False,  # ignored by templates without it
        )
        return f"{rendered}{self.prompt.cue}"

    def _question(self, body: str) -> str:
        return f"{self.prompt.instruction}\n\n{body}"

    def _answer(self, shot: Shot) -> str:
        return f"{self.prompt.cue}{shot.target}"

    def _ids(self, body: str, shots: Sequence[Shot] = ()) -> list[int]:
        # A chat template contains the special tokens; adding them again would double BOS.
        special = self.tokenizer.chat_template is None
        return self._tokenized(self.text(body, shots), add_special_tokens=special)["input_ids"]

    def _tokenized(self, text: str, **options: bool) -> BatchEncoding:
        # Not verbose: texts longer than the context are truncated here, and need no warning.
        return self.tokenizer(text, verbose=False, **options)


def _without_end(text: str, offsets: Sequence[tuple[int, int]], keep: int) -> str:
    """The text of its first `keep` tokens, whose places in it are `offsets`."""
    return text[: offsets[keep - 1][1]]


def _without_middle(text: str, offsets: Sequence[tuple[int, int]], keep: int) -> str:
    """The text of so many first and last tokens; empty where there is no room for both."""
    if keep < 2:
        return ""
    head, tail = offsets[keep - keep // 2 - 1][1], offsets[-(keep // 2)][0]
    return f"{text[:head].rstrip()}{OMITTED}{text[max(head, tail) :].lstrip()}"
