"""The output layer on some positions only: a vocabulary is wide, and most logits are never read."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedModel


@contextlib.contextmanager
def head_at(model: PreTrainedModel, positions: torch.Tensor) -> Iterator[None]:
    """Within, the model's logits are those of `positions` alone: (count, vocabulary).

    `positions` (2, count) holds their rows and their columns. What a model does to its logits after
    the output layer (scaling, soft-capping) works elementwise and stays in place.
    """

    def chosen(_: nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return given[0][positions[0], positions[1]], *given[1:]

    hook = model.get_output_embeddings().register_forward_pre_hook(chosen)
    try:
        yield
    finally:
        hook.remove()
