"""The training loss of labels: cross-entropy of their tokens."""

from transformers import PreTrainedTokenizerBase

from finetune.core.schema import Train
from finetune.training.losses import Loss, cross_entropy


def loss(tokenizer: PreTrainedTokenizerBase, train: Train) -> Loss:
    """Cross-entropy: it depends on neither the tokenizer nor the parameters."""
    return cross_entropy
