"""The predicted distribution over prices at the answer's position, whatever the tokenizer.

Where each price is one token, the token after the prompt is the price. Where numbers are split, the
prices are the paths of a tree of tokens, which is searched from the root, level by level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from finetune.errors import ModelError
from finetune.inference.batches import in_batches
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


@dataclass(frozen=True)
class Distribution:
    """A model's prediction: probabilities of the prices (1000,), and the mass on no price.

    `probabilities` are normalized over the prices; None where no mass lies on them.
    """

    probabilities: np.ndarray | None
    outside: float


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
    batch_size: int,
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

    @torch.inference_mode()
    def answer(chosen: list[int]) -> list[Distribution]:
        masses = _masses(reader.read(chosen, room=0), tree, floor, batch_size)
        return [_distribution(mass) for mass in masses]

    return in_batches(reader.lengths, batch_size, what, answer)


def _distribution(mass: np.ndarray) -> Distribution:
    total = float(mass.sum())
    if not (np.isfinite(total) and total > 0):
        return Distribution(None, outside=1.0)
    return Distribution(mass / total, outside=max(0.0, 1.0 - total))


def _masses(reading: Reading, tree: Tree, floor: float, batch_size: int) -> np.ndarray:
    """The probability (rows, 1000) of each price after the prompts that were read.

    Level by level; at most `batch_size` pairs of a row and a node are read at once, each from the
    keys and values of its prompt.
    """
    masses = np.zeros((len(reading.mask), len(PRICES)))
    level = [(row, tree.root, 1.0) for row in range(len(masses))]
    while level:
        deeper: list[tuple[int, Node, float]] = []
        for start in range(0, len(level), batch_size):
            pairs = level[start : start + batch_size]
            following = _following(reading, pairs, tree.alphabet)
            for (row, node, probability), conditional in zip(pairs, following, strict=True):
                found = probability * conditional[node.columns]
                masses[row, node.leaf_prices] = found[node.leaves]
                if node.price is not None:
                    masses[row, node.price] = np.maximum(0.0, probability - found.sum())
                likely = zip(node.children, found[node.inner].tolist(), strict=True)
                deeper += [(row, child, p) for child, p in likely if p >= floor]
        level = deeper
    return masses


def _following(
    reading: Reading, pairs: Sequence[tuple[int, Node, float]], alphabet: list[int]
) -> np.ndarray:
    """The probability (pairs, alphabet) of each token after a row's prompt and a node's path."""
    paths = [node.path for _, node, _ in pairs]
    if paths[0]:
        reading = reading.picked([row for row, _, _ in pairs], room=len(paths[0]))
        reading.read(torch.tensor(paths))
    logits = reading.logits.float()
    chosen = logits[:, alphabet] - logits.logsumexp(-1, keepdim=True)
    return chosen.cpu().double().exp().numpy()
