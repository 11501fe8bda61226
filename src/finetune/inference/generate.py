"""Answers in batches, by the way of decoding that `eval.decode` names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.core.schema import SummaryEval
from finetune.inference.batches import in_batches, pad_left
from finetune.inference.budgets import Budgets
from finetune.inference.likelihood import negative_log_likelihoods
from finetune.inference.reading import Reader, Reading
from finetune.scoring.consensus import consensus

# Logits (rows, vocabulary), the rows' own numbers, and how many tokens each has written, to (rows,)
# tokens.
Choice = Callable[[torch.Tensor, Sequence[int], int], torch.Tensor]
# Completions whose likelihood is asked for as well, one a prompt.
References = Sequence[list[int]] | None


@dataclass(frozen=True)
class Generated:
    """An answer, whether its length was capped, and the reference's negative log-likelihood.

    The latter is in nats, and None where there is no reference.
    """

    text: str
    hit_length_cap: bool
    reference_nll: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Writer:
    """What every way of decoding needs."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    budgets: Budgets
    max_new_tokens: int
    what: str

    def generated(self, ids: list[int]) -> Generated:
        """The answer that these new tokens are, up to the first end token."""
        end = next((i for i, token in enumerate(ids) if token in self.stops), None)
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=True).strip()
        return Generated(text, hit_length_cap=end is None)

    @property
    def stops(self) -> set[int]:
        """The end tokens."""
        return set(self.model.generation_config.eos_token_id)


NOTHING = Generated("", hit_length_cap=False)


def greedy(
    writer: Writer, prompts: Sequence[list[int]], references: References = None
) -> list[Generated]:
    """The likeliest token, each time."""

    def likeliest(logits: torch.Tensor, rows: Sequence[int], written: int) -> torch.Tensor:
        return logits.argmax(-1)

    def decode(reading: Reading, chosen: list[int]) -> list[list[Generated]]:
        written = _write(writer, reading, chosen, likeliest)
        return [[writer.generated(ids)] for ids in written]

    return [answer for (answer,) in _prefilled(writer, prompts, references, decode)]


def beam(
    writer: Writer, prompts: Sequence[list[int]], beams: int, references: References = None
) -> list[Generated]:
    """The best of so many hypotheses by their mean log-probability, as transformers searches.

    That reads the prompts by itself, so references are scored after a prefill of their own.
    """

    @torch.inference_mode()
    def answer(chosen: list[int]) -> list[Generated]:
        ids, mask = pad_left([prompts[i] for i in chosen], writer.tokenizer.pad_token_id)
        out = writer.model.generate(
            input_ids=ids.to(writer.model.device),
            attention_mask=mask.to(writer.model.device),
            max_new_tokens=writer.max_new_tokens,
            num_beams=beams,
        )
        return [writer.generated(row) for row in out[:, ids.shape[1] :].tolist()]

    max_rows = writer.budgets.max_rows(writer.model, writer.max_new_tokens, copies=beams)
    found = in_batches([len(prompt) for prompt in prompts], max_rows, writer.what, answer)
    if references is None:
        return found
    scored = _prefilled(writer, prompts, references, lambda _, chosen: [[NOTHING] for _ in chosen])
    return [
        replace(answer, reference_nll=nothing.reference_nll)
        for answer, (nothing,) in zip(found, scored, strict=True)
    ]


def sample(
    writer: Writer,
    prompts: Sequence[list[int]],
    count: int,
    temperature: float,
    seed: int,
    references: References = None,
) -> list[list[Generated]]:
    """So many answers to each prompt, their tokens drawn from the model's distribution.

    Answer c to prompt p is drawn with numpy's generator of the seed (seed, p, c), one number a
    token: whatever ran before, however rows are put into batches, it is the same answer, up to
    rounding of the model's own outputs.
    """
    draws = [
        np.random.default_rng((seed, prompt, candidate)).random(writer.max_new_tokens)
        for prompt in range(len(prompts))
        for candidate in range(count)
    ]
    device = writer.model.device

    def drawn(logits: torch.Tensor, rows: Sequence[int], written: int) -> torch.Tensor:
        # In double: float32 would round numbers close to 1 up to the end of the vocabulary.
        cumulated = (logits.double() / temperature).softmax(-1).cumsum(-1)
        numbers = torch.tensor([[draws[row][written]] for row in rows]).to(device, cumulated.dtype)
        # Of the sum, which rounding keeps from being 1: no number may lie beyond it.
        tokens = torch.searchsorted(cumulated, numbers * cumulated[:, -1:], right=True)
        return tokens[:, 0].clamp(max=logits.shape[-1] - 1)

    def decode(reading: Reading, chosen: list[int]) -> list[list[Generated]]:
        pairs = [(place, row * count + c) for place, row in enumerate(chosen) for c in range(count)]
        columns = reading.mask.shape[1] + writer.max_new_tokens
        at_once = writer.budgets.cached_rows(writer.model, columns, copies=2)
        written = []
        for start in range(0, len(pairs), at_once):
            places, rows = zip(*pairs[start : start + at_once], strict=True)
            copied = reading.picked(places, writer.max_new_tokens)
            written += [writer.generated(ids) for ids in _write(writer, copied, rows, drawn)]
        return [written[i : i + count] for i in range(0, len(written), count)]

    # Half of the cache is for the prompts, half for the copies of them that are written on.
    return _prefilled(writer, prompts, references, decode, copies=2)


def generate(
    writer: Writer,
    prompts: Sequence[list[int]],
    references: References,
    options: SummaryEval,
    stemmer: bool,
) -> list[Generated]:
    """One answer to each prompt, decoded as the options say; `stemmer` is for `mbr` alone.

    `references` are completions to be scored, none of them longer than an answer may be. `mbr` is
    minimum Bayes risk decoding (Kumar and Byrne 2004): of some samples the one that is most like
    the others, by ROUGE-1.
    """
    if options.decode == "greedy":
        return greedy(writer, prompts, references)
    if options.decode == "beam":
        return beam(writer, prompts, options.beams, references)
    count = options.samples if options.decode == "mbr" else 1
    candidates = sample(writer, prompts, count, options.temperature, options.seed, references)
    chosen = consensus([[answer.text for answer in answers] for answers in candidates], stemmer)
    return [answers[i] for answers, i in zip(candidates, chosen, strict=True)]


def _prefilled(
    writer: Writer,
    prompts: Sequence[list[int]],
    references: References,
    decode: Callable[[Reading, list[int]], list[list[Generated]]],
    copies: int = 1,
) -> list[list[Generated]]:
    """What `decode` gives for batches of prompts, each prefilled once, for its references too.

    It is given the prefilled batch and the prompts' own numbers. `copies` is how often a row
    stands in the cache while it decodes.
    """
    reader = Reader(writer.model, prompts, writer.tokenizer.pad_token_id)
    columns = reader.common + writer.max_new_tokens
    max_rows = writer.budgets.max_rows(writer.model, columns, copies=copies)

    @torch.inference_mode()
    def answer(chosen: list[int]) -> list[list[Generated]]:
        if references is None:
            return decode(reader.read(chosen, writer.max_new_tokens), chosen)
        # By the references' length, which is padded too; the prompts of a batch are alike in it.
        order = sorted(range(len(chosen)), key=lambda place: -len(references[chosen[place]]))
        rows = [chosen[place] for place in order]
        reading = reader.read(rows, writer.max_new_tokens)
        nlls = negative_log_likelihoods(
            reading, [references[row] for row in rows], writer.budgets.scored_tokens(writer.model)
        )
        found = {
            place: [replace(each, reference_nll=nll) for each in answers]
            for place, answers, nll in zip(order, decode(reading, rows), nlls, strict=True)
        }
        return [found[place] for place in range(len(chosen))]

    return in_batches(reader.lengths, max_rows, writer.what, answer)


def _write(
    writer: Writer, reading: Reading, rows: Sequence[int], choose: Choice
) -> list[list[int]]:
    """The new tokens of each row of a reading, whose own numbers are `rows`.

    Rows that have ended leave the batch, so that a short answer costs no more than its length.
    """
    stops = writer.stops
    answers: list[list[int]] = [[] for _ in rows]
    places = list(range(len(rows)))  # of each row of the reading in `answers`
    for written in range(writer.max_new_tokens):
        tokens = choose(reading.logits, [rows[place] for place in places], written).tolist()
        for place, token in zip(places, tokens, strict=True):
            answers[place].append(token)
        if written + 1 == writer.max_new_tokens:
            break
        kept = _closed_up([token not in stops for token in tokens])
        if not kept:
            break
        if len(kept) < len(places):
            reading.keep(kept)
            places = [places[i] for i in kept]
        reading.read(torch.tensor([[tokens[i]] for i in kept]))
    return answers


def _closed_up(goes_on: Sequence[bool]) -> list[int]:
    """The rows that go on, those at the end in the places of those that do not: few move."""
    count = sum(goes_on)
    last = [row for row in range(count, len(goes_on)) if goes_on[row]]
    return [row if goes_on[row] else last.pop() for row in range(count)]
