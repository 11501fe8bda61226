"""Decoding of a batch of requests, each with limits of its own, its text given out as it comes.

Greedy answers are those of `inference.generate`; sampled ones are drawn with its numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.inference.budgets import Budgets
from finetune.inference.generate import uniform_numbers
from finetune.inference.kv_cache import CachedBatch
from finetune.inference.prefill import Prefiller
from finetune.modeling.batches import batches

# What a decoder writes for bytes that are not yet a character.
INCOMPLETE = "�"


@dataclass(frozen=True)
class TextRequest:
    """A prompt as token ids, and how it is to be continued.

    temperature: 0 for greedy decoding; stop: texts before which the answer ends; on_text: is given
    each new piece of the answer, from the thread that computes.
    """

    ids: list[int]
    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    on_text: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Completion:
    """An answer; `hit_length_cap` if it did not end before its maximum of tokens."""

    text: str
    num_tokens: int
    hit_length_cap: bool


@dataclass
class _Row:
    """A request while it is decoded."""

    request: TextRequest
    tokenizer: PreTrainedTokenizerBase
    end_tokens: frozenset[int]
    ids: list[int] = field(default_factory=list)
    given: str = ""
    text: str = ""
    has_ended: bool = False
    hit_length_cap: bool = False

    def __post_init__(self) -> None:
        is_random = self.request.temperature > 0
        count = self.request.max_new_tokens
        self.numbers = uniform_numbers(self.request.seed, 0, 0, count) if is_random else None

    def append(self, token: int) -> None:
        """Take the next token, and give out the text that it makes certain."""
        self.ids.append(token)
        is_end = token in self.end_tokens
        self.has_ended = is_end or len(self.ids) == self.request.max_new_tokens
        self.hit_length_cap = self.has_ended and not is_end
        if self.has_ended or self.request.stop or self.request.on_text:
            self._update()

    def _update(self) -> None:
        kept = self.ids[:-1] if self.ids[-1] in self.end_tokens else self.ids
        text = self.tokenizer.decode(kept, skip_special_tokens=True).lstrip()
        stops = [at for stop in self.request.stop if (at := text.find(stop)) >= 0]
        if stops:
            text, self.has_ended, self.hit_length_cap = text[: min(stops)], True, False
        if self.has_ended:
            self.text = text.rstrip()
            certain = self.text
        else:
            held = max((len(stop) - 1 for stop in self.request.stop), default=0)
            certain = text.rstrip(INCOMPLETE)
            certain = certain[: max(0, len(certain) - held)].rstrip()
        new = certain[len(self.given) :]
        # A decoder that rewrites what it wrote must wait: what was given out cannot be taken back.
        if new and certain.startswith(self.given) and self.request.on_text:
            self.given = certain
            self.request.on_text(new)

    @property
    def completion(self) -> Completion:
        """The answer, once it has ended."""
        return Completion(self.text, len(self.ids), self.hit_length_cap)


def decode(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    budgets: Budgets,
    requests: Sequence[TextRequest],
    answered: Callable[[int, Completion], None],
    is_left: Callable[[int], bool] = lambda _: False,
) -> None:
    """Decode all requests, in batches that the budgets hold.

    `answered(i, completion)` is called as soon as the i-th request has ended. Of one whose client
    left, as `is_left(i)` says, no further token is computed, and `answered` is not called.
    """
    prompts = [request.ids for request in requests]
    prefiller = Prefiller(model, prompts, tokenizer.pad_token_id, budgets)
    longest = max(request.max_new_tokens for request in requests)
    max_rows = prefiller.max_rows(longest)
    ends = frozenset(model.generation_config.eos_token_id)
    for indices in batches(prefiller.suffix_lengths, max_rows):
        rows = [_Row(requests[i], tokenizer, ends) for i in indices]
        columns = max(row.request.max_new_tokens for row in rows)
        batch = prefiller.prefill(indices, columns)
        _decode(batch, rows, indices, answered, is_left)


@torch.inference_mode()
def _decode(
    batch: CachedBatch,
    rows: Sequence[_Row],
    indices: Sequence[int],
    answered: Callable[[int, Completion], None],
    is_left: Callable[[int], bool],
) -> None:
    active = list(range(len(rows)))
    while True:
        tokens = _next_tokens(batch.logits, [rows[i] for i in active])
        for i, token in zip(active, tokens, strict=True):
            rows[i].append(token)
            if rows[i].has_ended:
                answered(indices[i], rows[i].completion)
        kept = [
            place
            for place, i in enumerate(active)
            if not (rows[i].has_ended or is_left(indices[i]))
        ]
        if not kept:
            return
        if len(kept) < len(active):
            batch.keep_rows(kept)
            active = [active[place] for place in kept]
        batch.extend(torch.tensor([[tokens[place]] for place in kept]))


def _next_tokens(logits: torch.Tensor, rows: Sequence[_Row]) -> list[int]:
    """Each row's next token: the likeliest, or drawn at the row's temperature."""
    tokens: list[int] = logits.argmax(-1).tolist()
    for place, row in enumerate(rows):
        if row.numbers is not None:
            scores = logits[place].double().cpu().numpy() / row.request.temperature
            cumulated = np.exp(scores - scores.max()).cumsum()
            number = row.numbers[len(row.ids)] * cumulated[-1]
            drawn = int(cumulated.searchsorted(number, side="right"))
            tokens[place] = min(drawn, len(cumulated) - 1)
    return tokens
