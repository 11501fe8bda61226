"""The predicted distribution over prices at the answer's position, whatever the tokenizer.

Where each price is one token, the token after the prompt is the price. Where numbers are split, the
prices are the paths of a tree of tokens, whose nodes are all read in one forward pass; models that
cannot do so read it level by level.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from finetune.core.errors import ModelError
from finetune.inference import tree_attention
from finetune.inference.batches import in_batches
from finetune.inference.budgets import Budgets
from finetune.inference.reading import Reader, Reading
from finetune.modeling.price_tokens import PRICES
from finetune.modeling.prompts import PromptEncoder


@dataclass(frozen=True)
class Node:
    """A beginning of prices, and what can come next in it.

    `columns` are the next tokens' places in the tree's alphabet. Of these, `leaves` are places in
    `columns` of tokens that end a price, `leaf_prices` those prices; `inner` are places of tokens
    that more can follow, `children` what they lead to.
    """

    path: tuple[int, ...]
    price: int | None
    columns: np.ndarray
    leaves: np.ndarray
    leaf_prices: np.ndarray
    inner: np.ndarray
    children: tuple["Node", ...]


@dataclass(frozen=True)
class Tree:
    """The tokens of all prices; `alphabet` holds each token once."""

    alphabet: list[int]
    root: Node

    @property
    def levels(self) -> list[list[Node]]:
        """The nodes by their depth, the root first."""
        levels = [[self.root]]
        while below := [child for node in levels[-1] for child in node.children]:
            levels.append(below)
        return levels


@dataclass(frozen=True)
class Distribution:
    """A model's prediction: probabilities of the prices (1000,), and the mass on no price.

    `probabilities` are normalized over the prices; None where no mass lies on them.
    """

    probabilities: np.ndarray | None
    outside: float


# Nodes of one level and the probability (rows, nodes) of reaching them, None for the root, to the
# probability (rows, nodes, alphabet) of each next token.
Conditionals = Callable[[Sequence[Node], np.ndarray | None], np.ndarray]


def price_tree(encoder: PromptEncoder) -> Tree:
    """The prices' tokens as training teaches them, without the end token.

    Raises:
        ModelError: a price cannot be told from another, or is longer than a completion may be.
    """
    paths: dict[tuple[int, ...], int] = {}
    for price in PRICES:
        completion = encoder.encode_completion(str(price))
        path = tuple(completion.ids[:-1])
        if completion.truncated:
            raise ModelError(
                f"prompt.max_completion_tokens: is {encoder.prompt.max_completion_tokens}, "
                f"too few for the price {price} in this model's tokens"
            )
        if not path or path in paths:
            raise ModelError(f"model.name: its tokenizer cannot write the price {price}")
        paths[path] = price
    alphabet = sorted({token for path in paths for token in path})
    places = {token: place for place, token in enumerate(alphabet)}
    return Tree(alphabet, _node((), paths, places))


def _node(
    path: tuple[int, ...], paths: Mapping[tuple[int, ...], int], places: Mapping[int, int]
) -> Node:
    """The node at a path, from all paths that begin with it."""
    depth = len(path)
    below: dict[int, dict[tuple[int, ...], int]] = {}
    for other, price in paths.items():
        if len(other) > depth:
            below.setdefault(other[depth], {})[other] = price
    tokens = sorted(below)
    is_leaf = [all(len(other) == depth + 1 for other in below[token]) for token in tokens]
    leaves = [i for i, leaf in enumerate(is_leaf) if leaf]
    inner = [i for i, leaf in enumerate(is_leaf) if not leaf]
    return Node(
        path,
        paths.get(path),
        columns=np.array([places[token] for token in tokens], dtype=int),
        leaves=np.array(leaves, dtype=int),
        leaf_prices=np.array([paths[(*path, tokens[i])] for i in leaves], dtype=int),
        inner=np.array(inner, dtype=int),
        children=tuple(_node((*path, tokens[i]), below[tokens[i]], places) for i in inner),
    )


def distributions(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    tree: Tree,
    floor: float,
    budgets: Budgets,
    pad_id: int,
    what: str,
) -> list[Distribution]:
    """The distribution over the prices 0…999 after each prompt.

    A price has the probability of its path less that of its continuations to other prices: the
    answer ends where the number does, whatever follows, so that 1299 counts as 129, its longest
    beginning that is a price. Beginnings less likely than `floor` are not followed, and their mass
    is outside.
    """
    reader = Reader(model, prompts, pad_id)
    levels = tree.levels
    nodes = sum(map(len, levels)) - 1  # the root is the prompt's own end
    is_one_pass = tree_attention.supports(reader.opening)
    # The search level by level copies the prompts of as many pairs as there are rows.
    columns = reader.common + (nodes if is_one_pass else len(levels))
    max_rows = budgets.max_rows(model, columns, copies=1 if is_one_pass else 2)

    @torch.inference_mode()
    def answer(chosen: list[int]) -> list[Distribution]:
        if is_one_pass and nodes:
            reading = reader.read(chosen, room=nodes)
            conditionals = _of_all_nodes(reading, tree, budgets.scored_tokens(model))
        else:
            reading = reader.read(chosen, room=0)
            width = reading.mask.shape[1] + len(levels)
            conditionals = _of_pairs(reading, tree, budgets.cached_rows(model, width, copies=2))
        return [_distribution(mass) for mass in _masses(conditionals, levels, floor)]

    return in_batches(reader.lengths, max_rows, what, answer)


def _distribution(mass: np.ndarray) -> Distribution:
    total = float(mass.sum())
    if not (np.isfinite(total) and total > 0):
        return Distribution(None, outside=1.0)
    return Distribution(mass / total, outside=max(0.0, 1.0 - total))


def _masses(
    conditionals: Conditionals, levels: Sequence[Sequence[Node]], floor: float
) -> np.ndarray:
    """The probability (rows, 1000) of each price, from those of each next token.

    Each level of the tree is asked for with the probability (rows, nodes) of reaching its nodes, 0
    for what is not followed.
    """
    reached = None
    for nodes in levels:
        following = conditionals(nodes, reached)
        if reached is None:
            reached = np.ones((len(following), 1))
            masses = np.zeros((len(following), len(PRICES)))
        deeper = []
        for column, node in enumerate(nodes):
            probability = reached[:, column, None]
            found = probability * following[:, column][:, node.columns]
            masses[:, node.leaf_prices] = found[:, node.leaves]
            if node.price is not None:
                masses[:, node.price] = np.maximum(0.0, probability[:, 0] - found.sum(axis=1))
            deeper.append(found[:, node.inner])
        reached = np.concatenate(deeper, axis=1)
        reached = np.where(reached >= floor, reached, 0.0)
    return masses


def _of_all_nodes(reading: Reading, tree: Tree, token_budget: int) -> Conditionals:
    """All nodes in one forward pass, of as many rows as the budget holds."""
    levels = tree.levels
    paths = [node.path for nodes in levels[1:] for node in nodes]
    rows = len(reading.mask)
    at_once = max(1, token_budget // len(paths))
    found = np.empty((rows, 1 + len(paths), len(tree.alphabet)))
    found[:, 0] = _alphabet(reading.logits, tree.alphabet)
    for start in range(0, rows, at_once):
        part = reading.part(start, start + at_once)
        logits = tree_attention.node_logits(part, paths)
        # Row by row: in float32 all at once would be the largest tensor.
        for row, of_row in enumerate(logits, start):
            found[row, 1:] = _alphabet(of_row, tree.alphabet)
    ends = np.cumsum([0, *map(len, levels)])

    def of_level(nodes: Sequence[Node], _: np.ndarray | None) -> np.ndarray:
        depth = len(nodes[0].path)
        return found[:, ends[depth] : ends[depth + 1]]

    return of_level


def _of_pairs(reading: Reading, tree: Tree, at_once: int) -> Conditionals:
    """Level by level, so many pairs of a row and a node at a time, from copies of the prompts."""

    def of_level(nodes: Sequence[Node], reached: np.ndarray | None) -> np.ndarray:
        if reached is None:
            return _alphabet(reading.logits, tree.alphabet)[:, None]
        found = np.zeros((*reached.shape, len(tree.alphabet)))
        rows, columns = np.nonzero(reached)
        for start in range(0, len(rows), at_once):
            chosen = slice(start, start + at_once)
            paths = [nodes[column].path for column in columns[chosen]]
            copied = reading.picked(rows[chosen].tolist(), room=len(paths[0]))
            copied.read(torch.tensor(paths))
            found[rows[chosen], columns[chosen]] = _alphabet(copied.logits, tree.alphabet)
        return found

    return of_level


def _alphabet(logits: torch.Tensor, alphabet: list[int]) -> np.ndarray:
    """The probability of each token of the alphabet, in the last dimension, of all tokens."""
    logits = logits.float()
    chosen = logits[..., alphabet] - logits.logsumexp(-1, keepdim=True)
    return chosen.cpu().double().exp().numpy()
