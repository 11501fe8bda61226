"""The training loss of prices: cross-entropy, and the expected error as well.

Cross-entropy does not know that 89 is close to 99. The second term does: the expected absolute
difference between what is predicted and what is true, the Wasserstein-1 form of the number token
loss (Zausinger et al. 2025, "Regress, Don't Guess", arXiv 2411.02083). Its authors' package
`ntloss` adds tokens to a tokenizer that lacks some, and knows digits only; a test holds ours
against it.
"""

from collections.abc import Iterable, Sequence

import torch

from finetune.core.errors import ModelError
from finetune.modeling.choice_tree import Tree, choice_tree
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.price.options import PriceTrain, answer_to
from finetune.training.losses import Branches, Loss, cross_entropy

# Expected error counts in hundreds of units, and in tens for digits, which is of the size of a
# cross-entropy.
UNIT_SCALE, DIGIT_SCALE = 100.0, 10.0
DIGITS = range(10)


def loss(encoder: PromptEncoder, train: PriceTrain) -> Loss:
    """Cross-entropy, and `train.number_loss` times the expected error in the form that fits.

    All errors are in units of `prompt.answer`. Where each price is one token, the error is that of
    the token. Where a tokenizer splits prices, `train.number_loss_form` says whether it is that of
    each digit, from 0 to 9 (`digits`), or that of whole prices, from the probabilities of all of
    them (`prices`); with `auto` it is cross-entropy alone, as neither was better on validation rows
    of real prices (docs/scores.md).

    Raises:
        ModelError: the tokenizer cannot write the prices, or the form is `digits` and it does not
            write them digit by digit.
    """
    if not train.number_loss:
        return Loss(cross_entropy)
    prices = range(answer_to(encoder.prompt).maximum + 1)
    tree = choice_tree(encoder, [str(price) for price in prices], "price")
    if set(tree.lengths) == {1}:
        values = {path[0]: price for price, (path, _) in enumerate(tree.endings)}
        return Loss(TokenError(values, train.number_loss / UNIT_SCALE))
    if train.number_loss_form == "auto":
        return Loss(cross_entropy)
    if train.number_loss_form == "prices":
        paths = tuple(node.path for nodes in tree.levels[1:] for node in nodes)
        return Loss(cross_entropy, Branches(paths, PriceError(tree, train.number_loss)))
    digits = _digits(tree)
    if not digits:
        raise ModelError(
            "train.number_loss_form: is digits, but this model's tokenizer does not write prices "
            "digit by digit; set it to prices or auto"
        )
    return Loss(TokenError(digits, train.number_loss / DIGIT_SCALE))


def _digits(tree: Tree) -> dict[int, int]:
    """The digit of each token of the prices; empty where they are not written digit by digit."""
    written = [path for path, _ in tree.endings]
    beginning = written[0][:-1]  # some tokenizers begin every text with a token of its own
    tokens = [written[digit][-1] for digit in DIGITS]
    spelled = [(*beginning, *(tokens[int(digit)] for digit in str(p))) for p in range(len(written))]
    return {tokens[digit]: digit for digit in DIGITS} if spelled == written else {}


class TokenError:
    """Cross-entropy, and the expected error of tokens that have a value, summed."""

    def __init__(self, values: dict[int, int], weight: float) -> None:
        """`values` are those of token ids; the weight of an error of 1 is `weight`."""
        self.tokens = torch.tensor(list(values))
        self.values = torch.tensor(list(values.values()))
        self.weight = weight

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The sum over tokens; `logits` is (tokens, vocabulary), `targets` (tokens,).

        The error is that of targets with a value, by the distribution normalized over the tokens
        that have one.
        """
        tokens, values = self.tokens.to(targets.device), self.values.to(targets.device)
        has_value, place = (targets[:, None] == tokens).max(dim=1)
        distribution = logits.float()[has_value][:, tokens].softmax(-1)
        error = (distribution * (values - values[place[has_value], None]).abs()).sum()
        return cross_entropy(logits, targets) + self.weight * error


class PriceError:
    """The expected error of whole prices, summed over rows.

    The probability of each price is that of its tokens one after the other, less that of its
    continuations to other prices, normalized over the prices: as at inference, where beginnings
    that are hardly likely are not followed.
    """

    def __init__(self, tree: Tree, weight: float) -> None:
        """The weight of an error of 100 units is `weight`."""
        self.weight = weight / UNIT_SCALE
        self.prices = {path: price for price, (path, _) in enumerate(tree.endings)}
        self.alphabet = torch.tensor(tree.alphabet)
        nodes = [node for level in tree.levels for node in level]
        number = {node.path: place for place, node in enumerate(nodes)}
        depth = [[number[node.path] for node in level] for level in tree.levels]
        # Of each level (node, column of the alphabet, child) and, of all, (node, column, price).
        self.inner = [
            _indices(
                (place, int(nodes[place].columns[column]), number[child.path])
                for place in level
                for column, child in zip(nodes[place].inner, nodes[place].children, strict=True)
            )
            for level in depth[:-1]
        ]
        self.leaves = _indices(
            (place, int(node.columns[leaf]), int(price))
            for place, node in enumerate(nodes)
            for leaf, price in zip(node.leaves, node.leaf_choices, strict=True)
        )
        self.ends = _indices(
            (place, int(column), node.choice)
            for place, node in enumerate(nodes)
            if node.choice is not None
            for column in node.columns
        )
        # Of the choices that can be continued, the node at which each ends, and the price.
        self.continued = _indices(
            ((place, node.choice) for place, node in enumerate(nodes) if node.choice is not None),
            size=2,
        )
        self.num_nodes = len(nodes)

    def __call__(self, logits: torch.Tensor, completions: Sequence[Sequence[int]]) -> torch.Tensor:
        """The weighted error of the rows, in the form of `losses.Branches`.

        Rows whose completion is no price add nothing.
        """
        known = [self.prices.get(tuple(ids[:-1])) for ids in completions]
        rows = [row for row, price in enumerate(known) if price is not None]
        true = torch.tensor([price for price in known if price is not None], device=logits.device)
        distribution = self.distribution(logits)[rows]
        prices = torch.arange(len(self.prices), device=logits.device)
        return self.weight * (distribution * (prices - true[:, None]).abs()).sum()

    def distribution(self, logits: torch.Tensor) -> torch.Tensor:
        """The probabilities (rows, prices), from logits (rows, nodes, vocabulary) of the tree."""
        device = logits.device
        logits = logits.float()
        alphabet = logits[..., self.alphabet.to(device)]
        following = (alphabet - logits.logsumexp(-1, keepdim=True)).exp()
        # From the first token on: whatever else the answer might begin with is no price.
        root = alphabet[:, :1].softmax(-1)
        following = torch.cat([root, following[:, 1:]], dim=1)
        reached = torch.ones(len(logits), self.num_nodes, device=device)
        for level in self.inner:
            node, column, child = level.to(device)
            reached = reached.index_copy(1, child, reached[:, node] * following[:, node, column])
        masses = torch.zeros(len(logits), len(self.prices), device=device)
        node, column, price = self.leaves.to(device)
        masses = masses.index_copy(1, price, reached[:, node] * following[:, node, column])
        node, column, price = self.ends.to(device)
        continued = torch.zeros_like(masses).index_add(1, price, following[:, node, column])
        place, choice = self.continued.to(device)
        ended = reached[:, place] * (1 - continued[:, choice]).clamp(min=0)
        masses = masses.index_copy(1, choice, ended)
        return masses / masses.sum(-1, keepdim=True).clamp(min=torch.finfo(masses.dtype).tiny)


def _indices(tuples: Iterable[tuple[int, ...]], size: int = 3) -> torch.Tensor:
    """(size, count) of indices."""
    return torch.tensor(list(tuples), dtype=torch.long).reshape(-1, size).T
