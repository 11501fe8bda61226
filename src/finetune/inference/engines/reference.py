"""The reference: `transformers.generate` and plain forward passes, one row at a time.

No padding, no KV cache of ours, no common prefix of prompts, no merged adapter: slow, and easily
believed. Our own engine is held against it; a stage answers with it where `run.engine` says so.
"""

import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel

from finetune.core.schema import TextEval
from finetune.inference.budgets import Budgets
from finetune.inference.choices import Distribution
from finetune.inference.continuations import LEAST_COMMA, LongerNumbers
from finetune.inference.generate import (
    Generated,
    GenerationContext,
    References,
    consensus_of,
    uniform_numbers,
)
from finetune.inference.tree_attention import TokenPath
from finetune.modeling.batches import in_batches
from finetune.modeling.choice_tree import Tree

# Arguments of `transformers.generate` beside the prompt and the number of new tokens.
Settings = Mapping[str, Any]


def prepared(model: PreTrainedModel) -> contextlib.AbstractContextManager[None]:
    """The model as it was loaded: an adapter stays beside the base's weights."""
    return contextlib.nullcontext()


def generate(
    context: GenerationContext,
    prompts: Sequence[list[int]],
    references: References,
    options: TextEval,
) -> list[Generated]:
    """One answer to each prompt, as `inference.generate.generate` gives it."""
    if options.decode == "greedy":
        return greedy(context, prompts, references)
    if options.decode == "beam":
        answers = _answers(context, prompts, references, lambda _: [{"num_beams": options.beams}])
        return [answer for (answer,) in answers]
    count = options.samples if options.decode == "mbr" else 1
    return consensus_of(
        sample(context, prompts, count, options.temperature, options.seed, references)
    )


def greedy(
    context: GenerationContext, prompts: Sequence[list[int]], references: References = None
) -> list[Generated]:
    """Greedy decoding, the default of `transformers.generate` with our generation config."""
    answers = _answers(context, prompts, references, lambda _: [{}])
    return [answer for (answer,) in answers]


def sample(
    context: GenerationContext,
    prompts: Sequence[list[int]],
    count: int,
    temperature: float,
    seed: int,
    references: References = None,
) -> list[list[Generated]]:
    """`count` answers to each prompt by ancestral sampling, from the same numbers as our own."""

    def settings(prompt: int) -> list[Settings]:
        drawn = [
            uniform_numbers(seed, prompt, candidate, context.max_new_tokens)
            for candidate in range(count)
        ]
        return [
            {"logits_processor": LogitsProcessorList([InverseTransform(each, temperature)])}
            for each in drawn
        ]

    return _answers(context, prompts, references, settings)


class InverseTransform(LogitsProcessor):
    """Greedy decoding after it samples: of each step it leaves the token that a number draws."""

    def __init__(self, numbers: np.ndarray, temperature: float) -> None:
        """`numbers` are uniform on 0–1, one for each step."""
        self.numbers, self.temperature = iter(numbers), temperature

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (1, vocabulary), -inf but for the token drawn."""
        cumulated = (scores[0].double() / self.temperature).softmax(-1).cumsum(-1)
        token = int((cumulated <= next(self.numbers) * cumulated[-1]).sum())
        drawn = torch.full_like(scores, -torch.inf)
        drawn[0, min(token, scores.shape[-1] - 1)] = 0.0
        return drawn


def distributions(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    tree: Tree,
    prune_below: float,
    budgets: Budgets,
    pad_id: int,
    what: str,
    longer: LongerNumbers | None = None,
) -> list[Distribution]:
    """The distribution over the tree's choices, as `inference.choices.distributions` defines it.

    A choice's mass is the product of its tokens' probabilities and of 1 less those of the tokens
    that lead from it to other choices. Each probability is from a forward pass over the prompt and
    the tokens before.
    """
    endings = tree.endings
    paths = {path[:depth] for path, _ in endings for depth in range(len(path))}
    paths |= {path for path, others in endings if others}
    limit = budgets.max_logit_tokens(model)

    @torch.inference_mode()
    def answer(indices: list[int]) -> list[Distribution]:
        (prompt,) = (prompts[i] for i in indices)
        following = _following(model, prompt, sorted(paths, key=len), tree.alphabet, limit)
        masses = np.array([_mass(*ending, following, prune_below) for ending in endings])
        total = float(masses.sum())
        if not (np.isfinite(total) and total > 0):
            return [Distribution(None, outside=1.0, mass=0.0)]
        likeliest = endings[int(masses.argmax())]
        continued = _continuation(model, prompt, *likeliest, longer) if longer else 0.0
        return [Distribution(masses / total, max(0.0, 1.0 - total), total, continued)]

    return in_batches([len(prompt) for prompt in prompts], _one, what, answer)


def last_outputs(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    budgets: Budgets,
    pad_id: int,
    what: str,
) -> list[tuple[float, ...]]:
    """The outputs of the last layer after each prompt, by a forward pass over it alone."""

    @torch.inference_mode()
    def answer(indices: list[int]) -> list[tuple[float, ...]]:
        (prompt,) = (prompts[i] for i in indices)
        ids = torch.tensor([prompt], device=model.device)
        return [tuple(model(input_ids=ids, use_cache=False).logits[0, -1].double().tolist())]

    return in_batches([len(prompt) for prompt in prompts], _one, what, answer)


def likelihoods(
    model: PreTrainedModel,
    contexts: Sequence[list[int]],
    completions: Sequence[list[int]],
    budgets: Budgets,
    what: str,
) -> list[float]:
    """-log p(completion | context) of each pair in nats, summed over the completion's tokens."""

    def process(indices: list[int]) -> list[float]:
        return [_nll(model, contexts[i], completions[i]) for i in indices]

    lengths = [len(one) + len(other) for one, other in zip(contexts, completions, strict=True)]
    return in_batches(lengths, _one, what, process)


def _one(longest: int) -> int:
    """The rows of a batch."""
    return 1


def _answers(
    context: GenerationContext,
    prompts: Sequence[list[int]],
    references: References,
    settings: Callable[[int], list[Settings]],
) -> list[list[Generated]]:
    """For each prompt an answer by each of its settings, with its reference's likelihood."""
    model = context.model

    @torch.inference_mode()
    def process(indices: list[int]) -> list[list[Generated]]:
        (i,) = indices
        ids = torch.tensor([prompts[i]], device=model.device)
        answers = []
        for options in settings(i):
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=context.max_new_tokens,
                **options,
            )
            answers.append(context.to_generated(out[0, ids.shape[1] :].tolist()))
        if references is None:
            return [answers]
        nll = _nll(model, prompts[i], references[i])
        return [[replace(answer, reference_nll=nll) for answer in answers]]

    return in_batches([len(prompt) for prompt in prompts], _one, context.desc, process)


@torch.inference_mode()
def _nll(model: PreTrainedModel, prompt: list[int], completion: list[int]) -> float:
    ids = torch.tensor([[*prompt, *completion]], device=model.device)
    logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
    return functional.cross_entropy(logits.double(), ids[0, len(prompt) :], reduction="sum").item()


def _probabilities(model: PreTrainedModel, rows: Sequence[list[int]]) -> np.ndarray:
    """Probabilities (rows, vocabulary) of the token after each row; rows are of one length."""
    logits = model(input_ids=torch.tensor(rows, device=model.device)).logits[:, -1]
    return logits.double().softmax(-1).cpu().numpy()


def _following(
    model: PreTrainedModel,
    prompt: list[int],
    paths: Sequence[TokenPath],
    alphabet: list[int],
    token_budget: int,
) -> dict[TokenPath, dict[int, float]]:
    """After the prompt and each path the probability of each token of the alphabet.

    `paths` are sorted by length: those of one length share passes, which so need no padding.
    """
    following: dict[TokenPath, dict[int, float]] = {}
    for length, group in itertools.groupby(paths, key=len):
        alike = list(group)
        at_once = max(1, token_budget // (len(prompt) + length))
        for start in range(0, len(alike), at_once):
            chosen = alike[start : start + at_once]
            rows = _probabilities(model, [[*prompt, *path] for path in chosen])[:, alphabet]
            following |= {
                path: dict(zip(alphabet, row.tolist(), strict=True))
                for path, row in zip(chosen, rows, strict=True)
            }
    return following


def _mass(
    path: TokenPath,
    others: Sequence[int],
    following: Mapping[TokenPath, Mapping[int, float]],
    prune_below: float,
) -> float:
    """The probability of a choice; 0 where a beginning of it is less likely than `prune_below`.

    `others` are the tokens that lead from it to other choices, whose mass is theirs.
    """
    mass = 1.0
    for depth, token in enumerate(path):
        if depth and mass < prune_below:
            return 0.0
        mass *= following[path[:depth]][token]
    if not others:
        return mass
    if mass < prune_below:
        return 0.0
    return mass * max(0.0, 1.0 - sum(following[path][token] for token in others))


def _continuation(
    model: PreTrainedModel,
    prompt: list[int],
    path: TokenPath,
    others: Sequence[int],
    longer: LongerNumbers,
) -> float:
    """The probability that a longer number follows a choice: see `continuations.continuation`."""
    (after,) = _probabilities(model, [[*prompt, *path]])
    after[list(others)] = 0.0
    mass = after[list(longer.more)].sum()
    if longer.comma is not None and after[longer.comma] > LEAST_COMMA:
        (digits,) = _probabilities(model, [[*prompt, *path, longer.comma]])
        mass += after[longer.comma] * digits[list(longer.more)].sum()
    return float(np.clip(mass / after.sum(), 0, 1)) if after.sum() > 0 else 0.0
