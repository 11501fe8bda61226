"""Prompts and completions as token ids: the one place that training and inference both use."""

from dataclasses import dataclass

from transformers import BatchEncoding, PreTrainedTokenizerBase

from finetune.errors import ModelError
from finetune.params import Prompt

# Some chat templates write today's date into the prompt; pinned, or prompts change every day.
DATE = "26 Jul 2024"


@dataclass(frozen=True)
class Encoded:
    """Token ids, and whether something had to be cut for them to fit."""

    ids: list[int]
    truncated: bool


@dataclass(frozen=True)
class PromptEncoder:
    """Turns rows' texts into ids for one tokenizer, one task and one context length."""

    tokenizer: PreTrainedTokenizerBase
    prompt: Prompt
    context: int

    @property
    def max_prompt_tokens(self) -> int:
        """What a prompt may take, so that the completion still fits the model's context."""
        return min(self.prompt.max_tokens, self.context - self.prompt.max_completion_tokens)

    def encode(self, body: str) -> Encoded:
        """The ids of a prompt; a body that is too long loses its end, never the instruction or cue.

        Raises:
            ModelError: not even an empty body fits.
        """
        ids = self._ids(body)
        if len(ids) <= self.max_prompt_tokens:
            return Encoded(ids, truncated=False)
        offsets = self._tokenized(body, add_special_tokens=False, return_offsets_mapping=True)[
            "offset_mapping"
        ]
        keep = len(offsets) - (len(ids) - self.max_prompt_tokens)
        while keep > 0:
            ids = self._ids(body[: offsets[keep - 1][1]])
            if len(ids) <= self.max_prompt_tokens:
                return Encoded(ids, truncated=True)
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

    def text(self, body: str) -> str:
        """The prompt as text: through the tokenizer's chat template, where it has one."""
        user = f"{self.prompt.instruction}\n\n{body}"
        if self.tokenizer.chat_template is None:
            return f"{user}\n\n{self.prompt.cue}"
        opened = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": user}],
            tokenize=False,
            add_generation_prompt=True,
            date_string=DATE,
        )
        return f"{opened}{self.prompt.cue}"

    def _ids(self, body: str) -> list[int]:
        # A chat template writes the special tokens itself; adding them again would double BOS.
        special = self.tokenizer.chat_template is None
        return self._tokenized(self.text(body), add_special_tokens=special)["input_ids"]

    def _tokenized(self, text: str, **options: bool) -> BatchEncoding:
        # Not verbose: what is longer than the context is cut and counted here, not warned about.
        return self.tokenizer(text, verbose=False, **options)
