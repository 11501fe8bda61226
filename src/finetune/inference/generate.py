"""Decoding of prompts in batches, by the strategy that `eval.decode` names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.core.schema import TextEval
from finetune.inference.budgets import Budgets
from finetune.inference.consensus import consensus
from finetune.inference.kv_cache import CachedBatch, num_virtual_tokens
from finetune.inference.likelihood import negative_log_likelihoods
from finetune.inference.prefill import Prefiller
from finetune.modeling.answered import storable
from finetune.modeling.batches import in_batches, pad_left

# Chooses each row's next token: from logits (rows, vocabulary), the indices of the rows' sequences,
# and the number of the decode step, to token ids (rows,).
TokenChoice = Callable[[torch.Tensor, Sequence[int], int], torch.Tensor]
# Token ids of completions to be scored, one for each prompt.
References = Sequence[list[int]] | None


@storable
@dataclass(frozen=True)
class Generated:
    """A decoded answer, and its reference's negative log-likelihood.

    hit_length_cap: no end token was generated within the maximum of new tokens.
    reference_nll: in nats, summed over tokens; None where there is no reference.
    """

    text: str
    hit_length_cap: bool
    reference_nll: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class GenerationContext:
    """What all decoding strategies need; `desc` is the title of the progress bar."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    budgets: Budgets
    max_new_tokens: int
    desc: str

    def to_generated(self, ids: list[int]) -> Generated:
        """Decode new tokens to text, up to the first end token."""
        end = next((i for i, token in enumerate(ids) if token in self.end_tokens), None)
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=True).strip()
        return Generated(text, hit_length_cap=end is None)

    @property
    def end_tokens(self) -> set[int]:
        """The ids of all tokens that end a generation."""
        return set(self.model.generation_config.eos_token_id)


def greedy(
    context: GenerationContext, prompts: Sequence[list[int]], references: References = None
) -> list[Generated]:
    """Greedy decoding: at each step the token of the highest probability."""

    def argmax(logits: torch.Tensor, sequences: Sequence[int], step: int) -> torch.Tensor:
        return logits.argmax(-1)

    def decode(batch: CachedBatch, indices: list[int]) -> list[list[Generated]]:
        outputs = _decode(context, batch, indices, argmax)
        return [[context.to_generated(ids)] for ids in outputs]

    return [answer for (answer,) in _decode_in_batches(context, prompts, references, decode)]


def beam_search(
    context: GenerationContext,
    prompts: Sequence[list[int]],
    beams: int,
    references: References = None,
) -> list[Generated]:
    """Beam search of transformers: the hypothesis of the highest mean log-probability.

    transformers does its own prefill, so references are scored after a second one.
    """

    @torch.inference_mode()
    def search(indices: list[int]) -> list[Generated]:
        ids, mask = pad_left([prompts[i] for i in indices], context.tokenizer.pad_token_id)
        out = context.model.generate(
            input_ids=ids.to(context.model.device),
            attention_mask=mask.to(context.model.device),
            max_new_tokens=context.max_new_tokens,
            num_beams=beams,
        )
        return [context.to_generated(row) for row in out[:, ids.shape[1] :].tolist()]

    columns = num_virtual_tokens(context.model) + context.max_new_tokens
    max_rows = context.budgets.max_rows(context.model, columns, copies=beams)
    answers = in_batches([len(prompt) for prompt in prompts], max_rows, context.desc, search)
    return with_likelihoods(context, prompts, answers, references)


def with_likelihoods(
    context: GenerationContext,
    prompts: Sequence[list[int]],
    answers: Sequence[Generated],
    references: References,
) -> list[Generated]:
    """Answers that were decoded elsewhere, with their references' likelihoods, if there are any."""
    if references is None:
        return list(answers)

    def skip(batch: CachedBatch, indices: list[int]) -> list[list[Generated]]:
        return [[Generated("", hit_length_cap=False)] for _ in indices]

    scored = _decode_in_batches(context, prompts, references, skip)
    return [
        replace(answer, reference_nll=skipped.reference_nll)
        for answer, (skipped,) in zip(answers, scored, strict=True)
    ]


def sample(
    context: GenerationContext,
    prompts: Sequence[list[int]],
    count: int,
    temperature: float,
    seed: int,
    references: References = None,
) -> list[list[Generated]]:
    """`count` answers to each prompt by ancestral sampling at a temperature.

    Candidate c of prompt p is drawn with numpy's generator of the seed (seed, p, c), one uniform
    number for each token: it does not depend on what was drawn before or on the batches, up to the
    rounding of the logits.
    """
    draws = [
        uniform_numbers(seed, prompt, candidate, context.max_new_tokens)
        for prompt in range(len(prompts))
        for candidate in range(count)
    ]
    device = context.model.device

    def draw(logits: torch.Tensor, sequences: Sequence[int], step: int) -> torch.Tensor:
        # In double: float32 would round numbers close to 1 up to the end of the vocabulary.
        cumulated = (logits.double() / temperature).softmax(-1).cumsum(-1)
        numbers = torch.tensor([[draws[i][step]] for i in sequences]).to(device, cumulated.dtype)
        # Of the sum, which rounding keeps from being 1: no number may lie beyond it.
        tokens = torch.searchsorted(cumulated, numbers * cumulated[:, -1:], right=True)
        return tokens[:, 0].clamp(max=logits.shape[-1] - 1)

    def decode(batch: CachedBatch, indices: list[int]) -> list[list[Generated]]:
        pairs = [(row, i * count + c) for row, i in enumerate(indices) for c in range(count)]
        columns = batch.mask.shape[1] + context.max_new_tokens
        at_once = context.budgets.max_cached_rows(context.model, columns, copies=2)
        candidates: list[Generated] = []
        for start in range(0, len(pairs), at_once):
            rows, sequences = zip(*pairs[start : start + at_once], strict=True)
            copied = batch.select_rows(rows, context.max_new_tokens)
            outputs = _decode(context, copied, sequences, draw)
            candidates += [context.to_generated(ids) for ids in outputs]
        return [candidates[i : i + count] for i in range(0, len(candidates), count)]

    # Half of the cache is for the prompts, half for their copies, to which tokens are appended.
    return _decode_in_batches(context, prompts, references, decode, copies=2)


def generate(
    context: GenerationContext,
    prompts: Sequence[list[int]],
    references: References,
    options: TextEval,
) -> list[Generated]:
    """One answer to each prompt, by the decoding strategy of the options.

    `references` are completions to be scored, none longer than `max_new_tokens`. `mbr` is minimum
    Bayes risk decoding (Kumar and Byrne 2004): of several samples the one with the highest mean
    ROUGE-1 to the others.
    """
    if options.decode == "greedy":
        return greedy(context, prompts, references)
    if options.decode == "beam":
        return beam_search(context, prompts, options.beams, references)
    count = options.samples if options.decode == "mbr" else 1
    return consensus_of(
        sample(context, prompts, count, options.temperature, options.seed, references)
    )


def uniform_numbers(seed: int, prompt: int, candidate: int, count: int) -> np.ndarray:
    """The numbers on 0–1 that draw the tokens of a prompt's candidate."""
    return np.random.default_rng((seed, prompt, candidate)).random(count)


def consensus_of(candidates: Sequence[list[Generated]]) -> list[Generated]:
    """Of each prompt's candidates the one that is most like the others."""
    chosen = consensus([[answer.text for answer in answers] for answers in candidates])
    return [answers[i] for answers, i in zip(candidates, chosen, strict=True)]


def _decode_in_batches(
    context: GenerationContext,
    prompts: Sequence[list[int]],
    references: References,
    decode: Callable[[CachedBatch, list[int]], list[list[Generated]]],
    copies: int = 1,
) -> list[list[Generated]]:
    """Prefill, score the references of, and decode one batch of prompts after the other.

    `decode` takes a prefilled batch and the indices of its prompts. `copies` is how many copies of
    a row are in the cache while it decodes.
    """
    pad_id = context.tokenizer.pad_token_id
    prefiller = Prefiller(context.model, prompts, pad_id, context.budgets)
    max_rows = prefiller.max_rows(context.max_new_tokens, copies)

    @torch.inference_mode()
    def process(indices: list[int]) -> list[list[Generated]]:
        if references is None:
            return decode(prefiller.prefill(indices, context.max_new_tokens), indices)
        # By the references' length, which is padded too; the prompts of a batch are alike in it.
        order = sorted(range(len(indices)), key=lambda row: -len(references[indices[row]]))
        by_length = [indices[row] for row in order]
        batch = prefiller.prefill(by_length, context.max_new_tokens)
        nlls = negative_log_likelihoods(
            batch,
            [references[i] for i in by_length],
            context.budgets.max_logit_tokens(context.model),
        )
        answers = {
            row: [replace(each, reference_nll=nll) for each in candidates]
            for row, candidates, nll in zip(order, decode(batch, by_length), nlls, strict=True)
        }
        return [answers[row] for row in range(len(indices))]

    return in_batches(prefiller.suffix_lengths, max_rows, context.desc, process)


def _decode(
    context: GenerationContext, batch: CachedBatch, sequences: Sequence[int], choose: TokenChoice
) -> list[list[int]]:
    """The new tokens of each row of a batch; `sequences` are the indices that `choose` is given.

    Rows that have ended leave the batch, so that a short answer costs no more than its length.
    """
    end_tokens = context.end_tokens
    outputs: list[list[int]] = [[] for _ in sequences]
    active = list(range(len(sequences)))  # for each row of the batch its index in `outputs`
    for step in range(context.max_new_tokens):
        tokens = choose(batch.logits, [sequences[i] for i in active], step).tolist()
        for i, token in zip(active, tokens, strict=True):
            outputs[i].append(token)
        if step + 1 == context.max_new_tokens:
            break
        kept = _compact([token not in end_tokens for token in tokens])
        if not kept:
            break
        if len(kept) < len(active):
            batch.keep_rows(kept)
            active = [active[row] for row in kept]
        batch.extend(torch.tensor([[tokens[row]] for row in kept]))
    return outputs


def _compact(is_active: Sequence[bool]) -> list[int]:
    """The active rows, the last of them in the places of inactive ones: few rows move."""
    count = sum(is_active)
    last = [row for row in range(count, len(is_active)) if is_active[row]]
    return [row if is_active[row] else last.pop() for row in range(count)]
