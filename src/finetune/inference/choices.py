"""The predicted distribution over a fixed set of answers, whatever the tokenizer: prices, labels.

Where each answer is one token, the token after the prompt is the answer. Where answers are split,
they are the paths of a tree of tokens, whose nodes are all scored in one forward pass; for models
that cannot do so it is searched level by level.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from transformers import PreTrainedModel

from finetune.inference import tree_attention
from finetune.inference.budgets import Budgets
from finetune.inference.continuations import LongerNumbers, continuation
from finetune.inference.kv_cache import CachedBatch
from finetune.inference.prefill import Prefiller
from finetune.modeling.answered import storable
from finetune.modeling.batches import in_batches
from finetune.modeling.choice_tree import Node, Tree


@storable
@dataclass(frozen=True)
class Distribution:
    """A model's prediction: probabilities of the choices (choices,), and the mass on none of them.

    `probabilities` are normalized over the choices; None where no mass lies on them. `mass` is that
    on all choices: `outside` is 1 - mass, from which less than 1e-16 could not be had back.
    `continuation` is the part of the likeliest choice's mass with which a longer number follows; 0
    where that was not asked for.
    """

    probabilities: np.ndarray | None
    outside: float
    mass: float
    continuation: float = 0.0


# Nodes of one level and the probability (rows, nodes) of reaching them, None for the root, to the
# probability (rows, nodes, alphabet) of each next token.
Conditionals = Callable[[Sequence[Node], np.ndarray | None], np.ndarray]


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
    """The distribution over the tree's choices after each prompt.

    A choice has the probability of its path less that of its continuations to other choices: the
    answer ends where the choice does, whatever follows, so that of the prices 0…999 1299 counts as
    129, its longest beginning that is one. Beginnings less likely than `prune_below` are not
    followed, and their mass is outside. With `longer`, how much of the likeliest choice's mass is
    such a beginning is `continuation`, for another decode step of each batch.
    """
    prefiller = Prefiller(model, prompts, pad_id, budgets)
    levels = tree.levels
    endings = tree.endings if longer else []
    nodes = sum(map(len, levels)) - 1  # the root is the prompt's own end
    is_one_pass = tree_attention.supports(model)
    # What follows the likeliest choice goes into the same columns, once the tree is done with.
    following = max(tree.lengths) + 1 if longer else 0
    # The search level by level copies the prompts of as many pairs as there are rows.
    max_rows = (
        prefiller.max_rows(max(nodes, following))
        if is_one_pass
        else prefiller.max_rows(max(len(levels), following), copies=2)
    )

    @torch.inference_mode()
    def answer(chosen: list[int]) -> list[Distribution]:
        if is_one_pass and nodes:
            batch = prefiller.prefill(chosen, extra_columns=max(nodes, following))
            conditionals = _of_all_nodes(batch, tree, budgets.max_logit_tokens(model))
        else:
            batch = prefiller.prefill(chosen, extra_columns=following)
            width = batch.mask.shape[1] + len(levels)
            conditionals = _of_pairs(batch, tree, budgets.max_cached_rows(model, width, copies=2))
        masses = _masses(conditionals, tree, prune_below)
        predicted = [_distribution(mass) for mass in masses]
        if longer is None:
            return predicted
        paths, others = zip(*(endings[c] for c in masses.argmax(axis=1)), strict=True)
        continued = continuation(batch, paths, others, longer, pad_id)
        return [
            replace(of_row, continuation=float(fraction if of_row.mass > 0 else 0))
            for of_row, fraction in zip(predicted, continued, strict=True)
        ]

    return in_batches(prefiller.suffix_lengths, max_rows, what, answer)


def _distribution(mass: np.ndarray) -> Distribution:
    total = float(mass.sum())
    if not (np.isfinite(total) and total > 0):
        return Distribution(None, outside=1.0, mass=0.0)
    return Distribution(mass / total, outside=max(0.0, 1.0 - total), mass=total)


def _masses(conditionals: Conditionals, tree: Tree, prune_below: float) -> np.ndarray:
    """The probability (rows, choices) of each choice, from those of each next token.

    Each level of the tree is asked for with the probability (rows, nodes) of reaching its nodes, 0
    for what is not followed.
    """
    reached = None
    for nodes in tree.levels:
        following = conditionals(nodes, reached)
        if reached is None:
            reached = np.ones((len(following), 1))
            masses = np.zeros((len(following), len(tree.lengths)))
        deeper = []
        for column, node in enumerate(nodes):
            probability = reached[:, column, None]
            below = probability * following[:, column][:, node.columns]
            masses[:, node.leaf_choices] = below[:, node.leaves]
            if node.choice is not None:
                masses[:, node.choice] = np.maximum(0.0, probability[:, 0] - below.sum(axis=1))
            deeper.append(below[:, node.inner])
        reached = np.concatenate(deeper, axis=1)
        reached = np.where(reached >= prune_below, reached, 0.0)
    return masses


def _of_all_nodes(batch: CachedBatch, tree: Tree, token_budget: int) -> Conditionals:
    """All nodes in one forward pass, of as many rows as the budget holds."""
    levels = tree.levels
    paths = [node.path for nodes in levels[1:] for node in nodes]
    rows = len(batch.mask)
    at_once = max(1, token_budget // len(paths))
    conditionals = np.empty((rows, 1 + len(paths), len(tree.alphabet)))
    conditionals[:, 0] = _alphabet(batch.logits, tree.alphabet)
    for start in range(0, rows, at_once):
        part = batch.slice_rows(start, start + at_once)
        logits = tree_attention.node_logits(part, paths)
        # Row by row: in float32 all at once would be the largest tensor.
        for row, of_row in enumerate(logits, start):
            conditionals[row, 1:] = _alphabet(of_row, tree.alphabet)
    ends = np.cumsum([0, *map(len, levels)])

    def of_level(nodes: Sequence[Node], _: np.ndarray | None) -> np.ndarray:
        depth = len(nodes[0].path)
        return conditionals[:, ends[depth] : ends[depth + 1]]

    return of_level


def _of_pairs(batch: CachedBatch, tree: Tree, at_once: int) -> Conditionals:
    """Level by level, so many pairs of a row and a node at a time, from copies of the prompts."""

    def of_level(nodes: Sequence[Node], reached: np.ndarray | None) -> np.ndarray:
        if reached is None:
            return _alphabet(batch.logits, tree.alphabet)[:, None]
        conditionals = np.zeros((*reached.shape, len(tree.alphabet)))
        rows, columns = np.nonzero(reached)
        for start in range(0, len(rows), at_once):
            chosen = slice(start, start + at_once)
            paths = [nodes[column].path for column in columns[chosen]]
            copied = batch.select_rows(rows[chosen].tolist(), extra_columns=len(paths[0]))
            copied.extend(torch.tensor(paths))
            conditionals[rows[chosen], columns[chosen]] = _alphabet(copied.logits, tree.alphabet)
        return conditionals

    return of_level


def _alphabet(logits: torch.Tensor, alphabet: list[int]) -> np.ndarray:
    """The probability of each token of the alphabet, in the last dimension, of all tokens."""
    logits = logits.float()
    chosen = logits[..., alphabet] - logits.logsumexp(-1, keepdim=True)
    return chosen.cpu().double().exp().numpy()
