"""The tree of the tokens of a fixed set of answers: prices, labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetune.core.errors import ModelError
from finetune.modeling.prompts import PromptEncoder


@dataclass(frozen=True, kw_only=True)
class Node:
    """A beginning of choices, and what can come next in it.

    `columns` are the next tokens' places in the tree's alphabet. Of these, `leaves` are places in
    `columns` of tokens that end a choice, `leaf_choices` those choices; `inner` are places of
    tokens that more can follow, `children` what they lead to. `choice` is the one that ends here.
    """

    path: tuple[int, ...]
    choice: int | None
    columns: np.ndarray
    leaves: np.ndarray
    leaf_choices: np.ndarray
    inner: np.ndarray
    children: tuple["Node", ...]


@dataclass(frozen=True)
class Tree:
    """The tokens of all choices: `alphabet` has each once, `lengths` how many a choice has."""

    alphabet: list[int]
    root: Node
    lengths: tuple[int, ...]

    @property
    def levels(self) -> list[list[Node]]:
        """The nodes by their depth, the root first."""
        levels = [[self.root]]
        while below := [child for node in levels[-1] for child in node.children]:
            levels.append(below)
        return levels

    @property
    def endings(self) -> list[tuple[tuple[int, ...], list[int]]]:
        """Of each choice its tokens, and those that can follow in another choice."""
        found: dict[int, tuple[tuple[int, ...], list[int]]] = {}
        for node in (node for nodes in self.levels for node in nodes):
            tokens = [self.alphabet[column] for column in node.columns]
            if node.choice is not None:
                found[node.choice] = node.path, tokens
            for leaf, choice in zip(node.leaves, node.leaf_choices, strict=True):
                found[int(choice)] = (*node.path, tokens[leaf]), []
        return [found[choice] for choice in range(len(self.lengths))]


def choice_tree(encoder: PromptEncoder, choices: Sequence[str], what: str) -> Tree:
    """The choices' tokens as training teaches them, without the end token; `what` names one.

    Raises:
        ModelError: two have the same tokens, or one is longer than a completion may be.
    """
    paths: dict[tuple[int, ...], int] = {}
    for number, choice in enumerate(choices):
        completion = encoder.encode_completion(choice)
        path = tuple(completion.ids[:-1])
        if completion.truncated:
            raise ModelError(
                f"prompt.max_completion_tokens: is {encoder.prompt.max_completion_tokens}, "
                f"too few for the {what} {choice} in this model's tokens"
            )
        if not path or path in paths:
            raise ModelError(f"model.name: its tokenizer cannot write the {what} {choice}")
        paths[path] = number
    alphabet = sorted({token for path in paths for token in path})
    places = {token: place for place, token in enumerate(alphabet)}
    return Tree(alphabet, _node((), paths, places), tuple(map(len, paths)))


def _node(
    path: tuple[int, ...], paths: Mapping[tuple[int, ...], int], places: Mapping[int, int]
) -> Node:
    """The node at a path, from all paths that begin with it."""
    depth = len(path)
    below: dict[int, dict[tuple[int, ...], int]] = {}
    for other, choice in paths.items():
        if len(other) > depth:
            below.setdefault(other[depth], {})[other] = choice
    tokens = sorted(below)
    is_leaf = [all(len(other) == depth + 1 for other in below[token]) for token in tokens]
    leaves = [i for i, leaf in enumerate(is_leaf) if leaf]
    inner = [i for i, leaf in enumerate(is_leaf) if not leaf]
    return Node(
        path=path,
        choice=paths.get(path),
        columns=np.array([places[token] for token in tokens], dtype=int),
        leaves=np.array(leaves, dtype=int),
        leaf_choices=np.array([paths[(*path, tokens[i])] for i in leaves], dtype=int),
        inner=np.array(inner, dtype=int),
        children=tuple(_node((*path, tokens[i]), below[tokens[i]], places) for i in inner),
    )
