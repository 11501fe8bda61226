"""Prompts and completions as token ids: the one place that training and inference both use."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from transformers import BatchEncoding, PreTrainedTokenizerBase

from finetune.core.errors import ModelError, squeezed
from finetune.core.schema import Prompt

# Texts that stand for a row's and an example's when a chat template is tried.
ROW, EXAMPLE = "the text of this row", "the text of an example"
# Some chat templates write today's date into the prompt; pinned, or prompts change every day.
DATE = "26 Jul 2024"


@dataclass(frozen=True)
class Encoded:
    """Token ids, whether something had to be cut for them to fit, and how many examples did."""

    ids: list[int]
    truncated: bool
    shots: int = 0


@dataclass(frozen=True)
class Shot:
    """A row with its answer, shown to a model before it is asked."""

    body: str
    target: str


@dataclass(frozen=True)
class PromptEncoder:
    """Turns rows' texts into ids for one tokenizer, one task and one context length."""

    tokenizer: PreTrainedTokenizerBase
    prompt: Prompt
    context: int

    def __post_init__(self) -> None:
        """See that a prompt holds what is asked: a chat template may drop it.

        Raises:
            ModelError: it does not, or the template cannot be filled in.
        """
        self._check_template(())

    @functools.cached_property
    def _shows_examples(self) -> bool:
        self._check_template((Shot(EXAMPLE, "0"),))
        return True

    def _check_template(self, shots: Sequence[Shot]) -> None:
        if self.tokenizer.chat_template is None:
            return
        try:
            text = self.text(ROW, shots)
        except (TemplateError, TypeError, ValueError, KeyError) as error:
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
        """What a prompt may take, so that the completion still fits the model's context."""
        return min(self.prompt.max_tokens, self.context - self.prompt.max_completion_tokens)

    def encode(self, body: str, shots: Sequence[Shot] = ()) -> Encoded:
        """The ids of a prompt; a body that is too long loses its end, never the instruction or cue.

        `prompt.max_tokens` is for the question alone; `fitted` holds examples to it. Of these the
        last ones go until prompt and completion fit the model's context.

        Raises:
            ModelError: not even an empty body fits.
        """
        body, ids, truncated = self._cut(body)
        if shots:
            _ = self._shows_examples
        for count in range(len(shots), 0, -1):
            with_shots = self._ids(body, shots[:count])
            if len(with_shots) <= self.context - self.prompt.max_completion_tokens:
                return Encoded(with_shots, truncated, count)
        return Encoded(ids, truncated)

    def fitted(self, shot: Shot) -> Shot:
        """An example with as much of its body as a question may have."""
        return Shot(self._cut(shot.body)[0], shot.target)

    def _cut(self, body: str) -> tuple[str, list[int], bool]:
        """As much of a body as a prompt holds, the prompt's ids, and whether that is not all."""
        ids = self._ids(body)
        if len(ids) <= self.max_prompt_tokens:
            return body, ids, False
        offsets = self._tokenized(body, add_special_tokens=False, return_offsets_mapping=True)[
            "offset_mapping"
        ]
        keep = len(offsets) - (len(ids) - self.max_prompt_tokens)
        while keep > 0:
            shorter = body[: offsets[keep - 1][1]]
            ids = self._ids(shorter)
            if len(ids) <= self.max_prompt_tokens:
                return shorter, ids, True
            # Cutting text can split a token in two: a little less, until it fits.
            keep -= len(ids) - self.max_prompt_tokens
        raise ModelError(
            f"prompt.max_tokens: the instruction alone takes more than the "
            f"{self.max_prompt_tokens} tokens that a prompt may have (context {self.context}, "
            f"completion {self.prompt.max_completion_tokens})"
        )

    def encode_completion(self, target: str) -> Encoded:
        """The ids of an answer with its end token, which must be learned or generation never stops.

        An answer that is too long loses its end and then has no end token.
        """
        ids = [
            *self._tokenized(target, add_special_tokens=False)["input_ids"],
            self.tokenizer.eos_token_id,
        ]
        cap = self.prompt.max_completion_tokens
        return Encoded(ids[:cap], truncated=len(ids) > cap)

    def text(self, body: str, shots: Sequence[Shot] = ()) -> str:
        """The prompt as text: through the tokenizer's chat template, where it has one.

        Examples are earlier turns of the chat, their answers opened by the cue and ended as trained
        ones are; without a template they are blocks of text, each with the end token.
        """
        if self.tokenizer.chat_template is None:
            ended = self.tokenizer.eos_token
            blocks = [f"{self._asked(shot.body)}\n\n{self._told(shot)}{ended}" for shot in shots]
            return "\n\n".join([*blocks, self._asked(body), self.prompt.cue])
        turns = [
            {"role": role, "content": content}
            for shot in shots
            for role, content in (("user", self._asked(shot.body)), ("assistant", self._told(shot)))
        ]
        opened = self.tokenizer.apply_chat_template(
            [*turns, {"role": "user", "content": self._asked(body)}],
            tokenize=False,
            add_generation_prompt=True,
            date_string=DATE,
            enable_thinking=False,  # what a template does not know of, it leaves out
        )
        return f"{opened}{self.prompt.cue}"

    def _asked(self, body: str) -> str:
        return f"{self.prompt.instruction}\n\n{body}"

    def _told(self, shot: Shot) -> str:
        return f"{self.prompt.cue}{shot.target}"

    def _ids(self, body: str, shots: Sequence[Shot] = ()) -> list[int]:
        # A chat template writes the special tokens itself; adding them again would double BOS.
        special = self.tokenizer.chat_template is None
        return self._tokenized(self.text(body, shots), add_special_tokens=special)["input_ids"]

    def _tokenized(self, text: str, **options: bool) -> BatchEncoding:
        # Not verbose: what is longer than the context is cut and counted here, not warned about.
        return self.tokenizer(text, verbose=False, **options)
