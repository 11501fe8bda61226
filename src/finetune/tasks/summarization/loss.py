"""The training loss of summaries: cross-entropy of their tokens."""

from finetune.core.schema import Train
from finetune.modeling.prompts import PromptEncoder
from finetune.training.losses import Loss, cross_entropy


def loss(encoder: PromptEncoder, train: Train) -> Loss:
    """Cross-entropy: it depends on neither the tokenizer nor the parameters."""
    return Loss(cross_entropy)
